"""Training that passes share: the task's data and loss, one loop, a fixed seed, checkpoints."""

from trimtab.compress.training.data import TrainingData, training_data
from trimtab.compress.training.hardware import follow, training_device
from trimtab.compress.training.loop import check_finite
from trimtab.compress.training.outcome import Trained
from trimtab.compress.training.precision import Precision, as_float32
from trimtab.compress.training.run import task_loss, train
from trimtab.compress.training.settings import (
    Loss,
    Optimizer,
    Progress,
    TrainingConfig,
    TrainingSettings,
)

__all__ = [
    "Loss",
    "Optimizer",
    "Precision",
    "Progress",
    "Trained",
    "TrainingConfig",
    "TrainingData",
    "TrainingSettings",
    "as_float32",
    "check_finite",
    "follow",
    "task_loss",
    "train",
    "training_data",
    "training_device",
]
