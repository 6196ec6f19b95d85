"""The devices that a run is spread over: batches by rows, parameters by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.config import ConfigError
from lstm_jax.train.run.processes import in_order
from lstm_jax.train.run.state import TrainState

DATA, MODEL = "data", "model"
STATE: Any = TrainState(*[PartitionSpec()] * 3, carry=PartitionSpec(DATA))  # pyright: ignore
"""How the parts of a state are split by rows: the carry alone is."""

B = TypeVar("B", bound=Batch[Any])
T = TypeVar("T")


@dataclass(frozen=True)
class Devices:
    """A mesh of devices, of this process and of others that train with it.

    Along its axis "data" each device has rows of the batch, and computes with them what one device
    alone computes with all; the gradients are then added up, in one message a step. Along "model"
    each has columns of the matrices, and XLA decides what is sent when.
    """

    mesh: Mesh

    def __str__(self) -> str:
        kind = self.mesh.devices.flat[0].device_kind
        axes = [f"{name}={size}" for name, size in self.mesh.shape.items() if size > 1]
        spread = f", {' '.join(axes)}" if axes else ""
        together = f", in {jax.process_count()} processes" if self.several else ""
        return f"{self.mesh.size} {kind}{spread}{together}"

    @cached_property
    def everywhere(self) -> NamedSharding:
        """The sharding of what every device has whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    @cached_property
    def by_rows(self) -> NamedSharding:
        """The sharding of what is split by its first axis, the rows of a batch."""
        return NamedSharding(self.mesh, PartitionSpec(DATA))

    def of_state(self, state: TrainState) -> TrainState:
        """Give the sharding of each array of a state.

        The carry is split by rows. Matrices are split by columns where their number can be
        divided, and what the optimizer keeps of them likewise.

        Args:
            state: of any arrays.

        Returns:
            A state of shardings.
        """
        columns = jax.tree.map(self._by_columns, state)
        return columns._replace(carry=jax.tree.map(lambda _: self.by_rows, state.carry))

    def put(self, state: TrainState) -> TrainState:
        """Spread a state that this process has whole; one device has it already.

        Args:
            state: equal in every process.
        """
        if self.mesh.size == 1:
            return state
        return jax.tree.map(self._place, state, self.of_state(state))

    def hold(self, state: TrainState) -> TrainState:
        """Keep a state as `put` spread it, where XLA would be free to do otherwise.

        Args:
            state: inside a compiled function.
        """
        if self.mesh.size == 1:
            return state
        return jax.lax.with_sharding_constraint(state, self.of_state(state))

    def check(self, epoch: Epoch) -> None:
        """Refuse a mesh that cannot share out an epoch's batches.

        Args:
            epoch: of the task; its first batch is looked at, as others may be of other rows.

        Raises:
            ConfigError: its rows cannot be divided.
        """
        parts = self.mesh.shape[DATA]
        rows = 0 if parts == 1 else epoch.rows or len(epoch[0].inputs)
        if rows % parts:
            raise ConfigError(
                f"--mesh data={parts} cannot share out the {rows} rows of a batch evenly: give "
                "another N"
            )

    def batch(self, epoch: Epoch, index: int) -> Batch[np.ndarray] | Batch[Array]:
        """Make a batch, spread by rows; each process reads those of its own devices.

        A batch whose rows cannot be divided goes to every device whole, which is as right and
        gains nothing.

        Args:
            epoch: of the task.
            index: of the batch.
        """
        if self.mesh.size == 1:
            return epoch[index]  # which `jax.jit` puts where it belongs at less cost
        if not self.several or epoch.rows is None or epoch.part is None:
            batch = epoch[index]
            split = len(batch.inputs) % self.mesh.shape[DATA] == 0
            return jax.tree.map(
                partial(self._place, sharding=self.by_rows if split else self.everywhere), batch
            )
        mine = self._rows(epoch.rows)
        part = epoch.part(index, mine)
        return jax.tree.map(partial(self._place_part, rows=epoch.rows, first=mine.start), part)

    def spread(
        self, make: Callable[[str | None], Callable[[TrainState, B], T]], *, outputs: object
    ) -> Callable[[TrainState, B], T]:
        """Run a function of a state and a batch on all devices, each with its rows.

        Args:
            make: gives the function, of the axis over which it is to add up what the devices
                have; of None where there is nothing to add.
            outputs: a pytree of `PartitionSpec`s, a prefix of what it returns.
        """
        alone, together = make(None), make(DATA)
        parts = self.mesh.shape[DATA]
        inputs = STATE, PartitionSpec(DATA)

        def function(state: TrainState, batch: B) -> T:
            if parts == 1 or batch.inputs.shape[0] % parts:
                return alone(state, batch)
            return jax.shard_map(
                together, mesh=self.mesh, axis_names={DATA},
                in_specs=inputs, out_specs=outputs, check_vma=False,
            )(state, batch)  # fmt: skip

        return function

    def whole(self, tree: T) -> T:
        """Bring a tree to the first device of this process, whole.

        Where several processes train, all of them call this at the same time.

        Args:
            tree: of arrays of this mesh.
        """
        return tree if self.mesh.size == 1 else jax.tree.map(self._whole, tree)

    @property
    def several(self) -> bool:
        """Whether the devices are of several processes."""
        return jax.process_count() > 1

    def _whole(self, array: Array) -> Array:
        if not array.is_fully_replicated:
            array = in_order(jax.jit(lambda x: x, out_shardings=self.everywhere)(array))
        return array.addressable_data(0)

    def _by_columns(self, leaf: Array) -> NamedSharding:
        if leaf.ndim < 2 or leaf.shape[-1] % self.mesh.shape[MODEL]:
            return self.everywhere
        return NamedSharding(self.mesh, PartitionSpec(*[None] * (leaf.ndim - 1), MODEL))

    def _place(self, array: Array | np.ndarray, sharding: NamedSharding) -> Array:
        if not self.several:
            return jax.device_put(array, sharding)
        whole = np.asarray(array)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    def _rows(self, rows: int) -> slice:
        """Find the rows of a batch that this process' devices have, and what lies between them."""
        places = self.by_rows.addressable_devices_indices_map((rows,)).values()
        bounds = [place[0].indices(rows)[:2] for place in places if place is not None]
        return slice(min(start for start, _ in bounds), max(stop for _, stop in bounds))

    def _place_part(self, part: np.ndarray, rows: int, first: int) -> Array:
        def read(index: tuple[slice, ...] | None) -> np.ndarray:
            start, stop, _ = (index or (slice(None),))[0].indices(rows)
            return part[start - first : stop - first]

        return jax.make_array_from_callback((rows, *part.shape[1:]), self.by_rows, read)


def sum_over(axis: str, tree: T) -> T:
    """Add up the leaves that the devices of an axis have, in one message.

    One, because it is the faster, and because on a CPU several may overtake one another.

    Args:
        axis: of the mesh.
        tree: of floats.
    """
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, axis))


def norm_over(axis: str, norms: T) -> T:
    """Find the norms of vectors of which the devices of an axis have parts.

    Args:
        axis: of the mesh.
        norms: of the parts, a tree.
    """
    squares = sum_over(axis, jax.tree.map(jnp.square, norms))
    return jax.tree.map(jnp.sqrt, squares)


def make_devices(sizes: Mapping[str, int] | None = None) -> Devices:
    """Arrange the devices that there are as a mesh.

    Args:
        sizes: of the axes "data" and "model", 1 where one is not named. If None, the first device
            alone, or where several processes train, all devices, along "data".

    Raises:
        ConfigError: there are fewer devices, or not the same number in every process.
    """
    if sizes is None:
        sizes = {DATA: jax.device_count() if jax.process_count() > 1 else 1}
    shape = sizes.get(DATA, 1), sizes.get(MODEL, 1)
    count, there = shape[0] * shape[1], jax.device_count()
    if count > there or (jax.process_count() > 1 and count != there):
        raise ConfigError(
            f"--mesh data={shape[0]} model={shape[1]} wants {count} devices, and there are {there}"
            + ("" if jax.process_count() == 1 else f" in {jax.process_count()} processes")
        )
    if shape[1] > 1 and jax.process_count() > 1 and jax.default_backend() == "cpu":
        raise ConfigError(
            "--mesh model=M is for the devices of one process where they are CPUs: XLA lets their "
            "messages overtake one another; give data=N alone"
        )
    axes = (AxisType.Auto, AxisType.Auto)
    return Devices(jax.make_mesh(shape, (DATA, MODEL), axes, devices=jax.devices()[:count]))
