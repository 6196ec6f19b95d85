"""The problem of generated sequences that need long memory."""

from lstm_jax.train.look import without_choice
from lstm_jax.train.problem import Problem
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.evaluate import sequences_wrong
from lstm_jax.train.tasks.memory.rows import sequences_to_read
from lstm_jax.train.tasks.memory.task import MemoryTask

MEMORY = Problem(
    name="memory",
    config=MemoryConfig,
    look=without_choice(MemoryTask),
    network="SequenceModel",
    evaluate=sequences_wrong,
    picture="fixed_points.png",
    rows=sequences_to_read,
)
