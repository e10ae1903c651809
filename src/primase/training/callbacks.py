"""What happens around training: seeds, events, checkpoints that survive being killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from primase.events import Epoch, Listener, Progress
from primase.training.modules import VALIDATION_LOSS


@final
class EpochSeed(lightning.Callback):
    """Make each epoch a function of its number, so that a resumed run draws what the whole run would have drawn.

    Dropout is seeded anew at the start of an epoch. The sampler is told the epoch when a checkpoint is loaded, because
    Lightning opens the first iterator of a resumed run before it tells.
    """

    def __init__(self, seed: int, sampler: object) -> None:
        self.seed = seed
        self.sampler = sampler
        self.completed = 0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed with the run's seed and the number of the epoch."""
        del pl_module
        torch.manual_seed((self.seed * 1_000_003 + trainer.current_epoch * 7_919 + 1) % 2**63)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Count the epoch."""
        del pl_module
        self.completed = trainer.current_epoch + 1

    def state_dict(self) -> dict[str, Any]:
        """Return the number of epochs behind us, for the checkpoint."""
        return {"completed": self.completed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the next epoch's order."""
        self.completed = state_dict["completed"]
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(self.completed)


@final
class EpochEvents(lightning.Callback):
    """Tell the listener how far training is, and keep the learning curves, also across an interruption."""

    def __init__(self, stage: str, listener: Listener) -> None:
        self.stage = stage
        self.listener = listener
        self.history: list[dict[str, float]] = []

    def on_train_batch_end(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule, _outputs: Any, _batch: Any, batch_idx: int
    ) -> None:
        """Report the steps done, about a hundred times in all.

        Batches are counted, as Lightning's own count of steps goes up with each of several optimisers.
        """
        batches = int(trainer.num_training_batches)
        total = int(trainer.max_epochs or 0) * batches
        done = trainer.current_epoch * batches + batch_idx + 1
        if done % max(total // 100, 1) == 0:
            self.listener(Progress(self.stage, done, total, "steps"))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep and report what was measured in this epoch."""
        del pl_module
        measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append({"epoch": trainer.current_epoch + 1, **measured})
        self.listener(Epoch(trainer.current_epoch + 1, int(trainer.max_epochs or 0), measured))

    def state_dict(self) -> dict[str, Any]:
        """Return the learning curves, for the checkpoint."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the learning curves of the checkpoint."""
        self.history = state_dict["history"]

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, counted from 1."""
        best = min(self.history, key=lambda row: row[VALIDATION_LOSS])
        return int(best["epoch"])


@final
class AtomicCheckpoints(TorchCheckpointIO):
    """Write checkpoints beside their place and rename, so that being killed leaves the old one or the new one.

    Lightning's own way stages the file in the system's temporary folder, from where a move is no single step.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save all of a checkpoint, or nothing."""
        del storage_options
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        staged = place.with_name(place.name + ".part")
        torch.save(checkpoint, staged)
        staged.replace(place)
