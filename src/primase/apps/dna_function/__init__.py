"""The application that asks: which chromatin features does this DNA carry."""
