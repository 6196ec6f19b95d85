"""The devices that a run is spread over: batches are split by rows, parameters by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
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
"""How a state is split by rows: only the carry is."""

B = TypeVar("B", bound=Batch[Any])
T = TypeVar("T")


@dataclass(frozen=True)
class Devices:
    """Represent a mesh of devices that belong to this process and those that train with it.

    Along the axis "data" each device has some rows of the batch and computes with them what a
    single device would compute with all rows; the gradients are then summed, in one message per
    step. Along the axis "model" each device has some columns of the matrices, and XLA decides which
    messages to send.
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
        """Return the sharding of arrays that every device has in full."""
        return NamedSharding(self.mesh, PartitionSpec())

    @cached_property
    def by_rows(self) -> NamedSharding:
        """Return the sharding of arrays that are split by their first axis, the rows of a batch."""
        return NamedSharding(self.mesh, PartitionSpec(DATA))

    def of_state(self, state: TrainState) -> TrainState:
        """Return the sharding of each array in a state.

        The carry is split by rows. Matrices are split by columns if the number of columns is
        divisible, and so are the optimizer's matrices for them.

        Args:
            state: a state of arrays.

        Returns:
            A state of shardings.
        """
        columns = jax.tree.map(self._by_columns, state)
        return columns._replace(carry=jax.tree.map(lambda _: self.by_rows, state.carry))

    def put(self, state: TrainState) -> TrainState:
        """Spread a state over the devices; with a single device it is returned unchanged.

        Args:
            state: a state that is complete and equal in every process.
        """
        if self.mesh.size == 1:
            return state
        return jax.tree.map(self._place, state, self.of_state(state))

    def hold(self, state: TrainState) -> TrainState:
        """Constrain a state to the shardings of `put`, which XLA might otherwise change.

        Args:
            state: a state inside a compiled function.
        """
        if self.mesh.size == 1:
            return state
        return jax.lax.with_sharding_constraint(state, self.of_state(state))

    def check(self, epoch: Epoch) -> None:
        """Check that the rows of an epoch's batches can be divided evenly.

        Args:
            epoch: an epoch of the task. Only its first batch is checked; the number of rows in
                later batches may differ.

        Raises:
            ConfigError: if the number of rows is not divisible.
        """
        parts = self.mesh.shape[DATA]
        rows = 0 if parts == 1 else epoch.rows or len(epoch[0].inputs)
        if rows % parts:
            raise ConfigError(
                f"--mesh data={parts} cannot split the {rows} rows of a batch evenly; choose a "
                "divisor of that number"
            )

    def batch(self, epoch: Epoch, index: int) -> Batch[np.ndarray] | Batch[Array]:
        """Build a batch, spread by rows; each process reads only the rows of its own devices.

        If the number of rows is not divisible, every device gets the whole batch, which is correct
        but no faster than a single device.

        Args:
            epoch: an epoch of the task.
            index: the index of the batch.
        """
        if self.mesh.size == 1:
            return epoch[index]  # `jax.jit` transfers it at less cost
        if not self.several or epoch.rows is None or epoch.part is None:
            batch = epoch[index]
            split = len(batch.inputs) % self.mesh.shape[DATA] == 0
            return jax.tree.map(
                partial(self._place, sharding=self.by_rows if split else self.everywhere), batch
            )
        local_rows = self._rows(epoch.rows)
        part = epoch.part(index, local_rows)
        place = partial(self._place_part, rows=epoch.rows, first=local_rows.start)
        return jax.tree.map(place, part)

    def spread(
        self, make: Callable[[str | None], Callable[[TrainState, B], T]], *, outputs: object
    ) -> Callable[[TrainState, B], T]:
        """Return a function that runs on all devices, each with its own rows.

        Args:
            make: `make(axis)` returns the function of a state and a batch. It must sum its results
                over the devices of that axis, or not at all if `axis` is None.
            outputs: a pytree of `PartitionSpec`s, a prefix of the function's result.
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
        """Gather a tree on the first device of this process.

        If there are several processes, all of them must call this at the same time.

        Args:
            tree: a pytree of arrays on this mesh.
        """
        return tree if self.mesh.size == 1 else jax.tree.map(self._whole, tree)

    @property
    def several(self) -> bool:
        """Return whether the devices belong to several processes."""
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
        """Return the range of rows from the first to the last that this process's devices have."""
        places = self.by_rows.addressable_devices_indices_map((rows,)).values()
        bounds = [place[0].indices(rows)[:2] for place in places if place is not None]
        return slice(min(start for start, _ in bounds), max(stop for _, stop in bounds))

    def _place_part(self, part: np.ndarray, rows: int, first: int) -> Array:
        def read(index: tuple[slice, ...] | None) -> np.ndarray:
            start, stop, _ = (index or (slice(None),))[0].indices(rows)
            return part[start - first : stop - first]

        return jax.make_array_from_callback((rows, *part.shape[1:]), self.by_rows, read)


def sum_over(axis: str, tree: T) -> T:
    """Sum a tree over the devices of an axis, in one message.

    A single message is faster, and on a CPU several messages might overtake one another.

    Args:
        axis: an axis of the mesh.
        tree: a pytree of floating-point arrays.
    """
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, axis))


def make_devices(sizes: Mapping[str, int] | None = None) -> Devices:
    """Arrange the available devices as a mesh.

    Args:
        sizes: the sizes of the axes "data" and "model", 1 by default. If None, only the first
            device is used; with several processes, all devices are arranged along "data".

    Raises:
        ConfigError: if the number of devices does not match the mesh.
    """
    if sizes is None:
        sizes = {DATA: jax.device_count() if jax.process_count() > 1 else 1}
    shape = sizes.get(DATA, 1), sizes.get(MODEL, 1)
    count, available = shape[0] * shape[1], jax.device_count()
    if count > available or (jax.process_count() > 1 and count != available):
        raise ConfigError(
            f"--mesh data={shape[0]} model={shape[1]} needs {count} devices, but there are "
            f"{available}"
            + ("" if jax.process_count() == 1 else f" in {jax.process_count()} processes")
        )
    if shape[1] > 1 and jax.process_count() > 1 and jax.default_backend() == "cpu":
        raise ConfigError(
            "--mesh model=M does not work on the CPUs of several processes, where XLA's messages "
            "can overtake one another; use data=N alone"
        )
    axes = (AxisType.Auto, AxisType.Auto)
    return Devices(jax.make_mesh(shape, (DATA, MODEL), axes, devices=jax.devices()[:count]))
