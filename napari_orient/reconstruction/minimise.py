"""One face for all optimisers: each yields after a step, and can be stopped there.

A step is an iteration: some evaluations, after which the loss is lower (Adam and SGD: one). L-BFGS
with strong Wolfe conditions, Adam and SGD are torch's, and stay on the device; L-BFGS-B and TNC are
SciPy's, and run in a thread that waits at each iteration. BB is steepest descent with steps by
Barzilai and Borwein (IMA J. Numer. Anal. 8 (1988) 141), of which the loss may rise for a while
(Raydan, SIAM J. Optim. 7 (1997) 26).
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_orient.reconstruction.objective import Value

_HISTORY = 12  # pairs of steps and gradients that L-BFGS remembers
_SCRATCH = ("al",)  # of torch's L-BFGS, made anew in each step
_RATE = 1e-2  # of Adam, radians of a quaternion a step at most
_MOMENTUM = 0.9
_LOOK_BACK = 10  # losses of which the largest must not be exceeded by BB
_TRIES = 20


class Step(NamedTuple):
    """Where an optimiser is: the point (..., C), its value, and how often it was evaluated."""

    point: Tensor
    value: Value
    evaluations: int


Steps = "Generator[Step, None, None]"


def minimise(
    objective: Callable[[Tensor], Value],
    start: Tensor,
    method: str = "L-BFGS",
    state: dict[str, Any] | None = None,
) -> Generator[Step, None, None]:
    """Lower the loss step by step, without an end of its own but where no step lowers it.

    Parameters
    ----------
    objective
        Channels (..., C) of a field -> value.
    start
        (..., C).
    method
        "L-BFGS", "Adam", "SGD" (torch), "L-BFGS-B", "TNC" (SciPy), "BB".
    state
        Filled with the memory of the optimiser (not SciPy's) as plain tensors and numbers after
        each step. What it holds at the start is taken up: the run goes on as if never stopped.

    Raises
    ------
    ValueError
        For another method.
    """
    if method in ("L-BFGS-B", "TNC"):
        return _scipy(objective, start, method)
    if method in ("L-BFGS", "Adam", "SGD"):
        return _torch(objective, start, method, {} if state is None else state)
    if method == "BB":
        return _barzilai_borwein(objective, start, {} if state is None else state)
    raise ValueError(f"optimiser {method!r}: L-BFGS, L-BFGS-B, TNC, Adam, SGD or BB is possible")


def _barzilai_borwein(
    objective: Callable[[Tensor], Value], start: Tensor, state: dict[str, Any]
) -> Generator[Step, None, None]:
    x, evaluations = start.detach().clone(), 0 if state else 1
    value = objective(x)
    losses = list(state.get("losses", [value.loss]))
    size = float(value.gradient.norm())
    rate = state.get("rate", _RATE * x.numel() ** 0.5 / max(size, 1e-30))
    while True:
        gradient, steep = value.gradient, float((value.gradient**2).sum())
        for _ in range(_TRIES):
            new = x - rate * gradient
            found = objective(new)
            evaluations += 1
            if found.loss <= max(losses) - 1e-4 * rate * steep:
                break
            rate /= 4
        else:
            return
        step, turn = new - x, found.gradient - gradient
        bend = float((step * turn).sum())
        rate = float((step**2).sum()) / bend if bend > 0 else 2 * rate
        x, value, losses = new, found, [*losses, found.loss][-_LOOK_BACK:]
        state.update({"rate": rate, "losses": losses})
        yield Step(x, value, evaluations)


def _torch(
    objective: Callable[[Tensor], Value], start: Tensor, method: str, state: dict[str, Any]
) -> Generator[Step, None, None]:
    x = start.detach().clone().requires_grad_()
    # where a run of L-BFGS was interrupted, its last point had been evaluated already
    last: dict[str, Any] = {"evaluations": -1 if state and method == "L-BFGS" else 0}

    def closure() -> Tensor:
        # a step begins where the last one ended: that value is known
        known = last.get("point")
        if known is None or not torch.equal(known, x.detach()):
            last["value"] = objective(x.detach())
            last["evaluations"] += 1
            last["point"] = x.detach().clone()
        x.grad = last["value"].gradient.clone()
        return x.new_tensor(last["value"].loss, dtype=torch.float64)

    optimiser = _optimiser(x, method)
    if state:
        optimiser.state[x].update(_placed(state, x.device))
    before = float("inf")
    while True:
        optimiser.step(closure)  # type: ignore[arg-type]
        if method == "L-BFGS":
            closure()  # the last point tried need not be the one taken
        value = last["value"]
        state.clear()
        memory = optimiser.state[x].items()
        state.update({k: _copied(v) for k, v in memory if k not in _SCRATCH})
        yield Step(x.detach(), value, last["evaluations"])
        if method == "L-BFGS" and not value.loss < before:
            return  # no step goes down: float32 has no smaller ones
        before = value.loss


def _placed(state: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Copies of what was remembered, on the device; Adam's count of steps stays where it is."""

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(one) for one in value]
        return value.to(device) if isinstance(value, Tensor) else value

    return {k: _copied(v) if k == "step" else moved(_copied(v)) for k, v in state.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return list(value) if isinstance(value, list) else value


def _optimiser(x: Tensor, method: str) -> torch.optim.Optimizer:
    if method == "Adam":
        return torch.optim.Adam([x], lr=_RATE)
    if method == "SGD":
        return torch.optim.SGD([x], lr=_RATE * x.numel() ** 0.5, momentum=_MOMENTUM)
    return torch.optim.LBFGS(
        [x], lr=1.0, max_iter=1, max_eval=25, history_size=_HISTORY, tolerance_grad=0.0,
        tolerance_change=0.0, line_search_fn="strong_wolfe",
    )  # fmt: skip


class _Stop(Exception):
    """Ends SciPy's thread."""


def _scipy(
    objective: Callable[[Tensor], Value], start: Tensor, method: str
) -> Generator[Step, None, None]:
    from scipy.optimize import minimize

    messages: queue.Queue[Any] = queue.Queue(1)
    go_on = threading.Semaphore(0)
    seen: dict[str, Any] = {"evaluations": 0, "stop": False, "best": None}

    def value(x: Any) -> tuple[float, Any]:
        if seen["stop"]:
            raise _Stop
        point = torch.as_tensor(x, dtype=start.dtype, device=start.device).reshape(start.shape)
        found = objective(point)
        seen["evaluations"] += 1
        if seen["best"] is None or found.loss < seen["best"][1].loss:
            seen["best"] = (point, found)
        return found.loss, found.gradient.double().cpu().numpy().ravel()

    def told(*_: Any) -> None:
        point, found = seen["best"]
        messages.put(Step(point, found, seen["evaluations"]))
        go_on.acquire()

    def work() -> None:
        options: dict[str, Any] = {"L-BFGS-B": {"ftol": 0.0, "gtol": 0.0}, "TNC": {"ftol": 0.0}}[
            method
        ]
        many = {"maxiter": 10**6} if method == "L-BFGS-B" else {}
        x = start.detach().double().cpu().numpy().ravel()
        try:
            minimize(
                value, x, jac=True, method=method, callback=told,
                options={**options, **many, "maxfun": 10**7}, bounds=[(-1, 1)] * x.size,
            )  # fmt: skip
            messages.put(None)
        except _Stop:
            messages.put(None)
        except BaseException as error:  # to be raised where it is waited for
            messages.put(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while (message := messages.get()) is not None:
            if isinstance(message, BaseException):
                raise message
            yield message
            go_on.release()
    finally:
        seen["stop"] = True
        go_on.release()
        while worker.is_alive():
            worker.join(0.05)
            while not messages.empty():
                messages.get_nowait()
