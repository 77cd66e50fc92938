"""Peak memory of a process that adapts, above its size before it opened the network. Linux only.

`python -m stepforward.bench.footprint core PROGRAM BATCH` runs QZO-FF steps, `... backprop NETWORK BATCH` steps of
torch's backpropagation with SGD; both on two threads, all parameters. Idle means: libraries imported, nothing opened.
"""

import json
import subprocess
import sys
from pathlib import Path

STEPS, THREADS = 5, 2


def footprint(kind: str, network: str | Path, batch: int) -> dict[str, int]:
    """Bytes of a process of its own: idle, peak, above (the difference)."""
    command = [sys.executable, "-m", "stepforward.bench.footprint", kind, str(network), str(batch)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise LookupError(field)


def _idle() -> int:
    """Size now; the kernel's record of the peak starts again from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _core(network: str, batch: int) -> int:
    import numpy as np

    from stepforward.bench.training import training
    from stepforward.engines.core import CoreEngine
    from stepforward.engines.protocol import Batch
    from stepforward.methods.qzo_ff import qzo_ff
    from stepforward.program import fileformat

    idle = _idle()
    program, plan = training(fileformat.load(network))
    engine = CoreEngine(program, plan, threads=THREADS)
    x = np.zeros((batch, *program.tensors[program.input].shape), dtype=np.int8)
    y = np.zeros(batch, dtype=np.int32)
    for _ in qzo_ff(engine, lambda step: Batch.of(x, y), range(STEPS), plan.directions, plan.share_batch):
        pass
    return idle


def _backprop(network: str, batch: int) -> int:
    import torch
    import torch.nn.functional as F

    from stepforward.bench.networks import NETWORKS, build

    torch.set_num_threads(THREADS)
    idle = _idle()
    module = build(network)
    x, y = torch.zeros(batch, *NETWORKS[network].shape), torch.zeros(batch, dtype=torch.int64)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-6)
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(module(x), y).backward()
        optimizer.step()
    return idle


def main() -> None:
    """Entry of the child process."""
    kind, network, batch = sys.argv[1:]
    idle = {"core": _core, "backprop": _backprop}[kind](network, int(batch))
    peak = _status("VmHWM")
    print(json.dumps({"idle": idle, "peak": peak, "above": peak - idle}))


if __name__ == "__main__":
    main()
