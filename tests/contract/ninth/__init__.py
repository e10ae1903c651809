"""The ninth application of the tests: does this protein stand the heat, by its composition?"""
