"""Fixed-point steps with their journal: first those it already holds, then new ones."""

from collections.abc import Callable, Iterator

from stepforward.engines.protocol import Batch, Engine
from stepforward.journal import Journal, JournalWriter
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.run.training import Taken
from stepforward.scores import NATS


def fixed_steps(
    engine: Engine,
    batches: Callable[[int], Batch],
    writer: JournalWriter,
    recorded: Journal | None,
    steps: int,
    directions: int,
    share_batch: bool,
) -> Iterator[Taken]:
    """Take all steps of a run.

    Recorded steps are applied from their votes, without a forward pass: the weights after every step are the same
    whether a run was interrupted or not.
    """
    past = recorded.votes if recorded else ()
    for number, votes in enumerate(past[:steps]):
        engine.update(number, votes.tolist())
        yield Taken(None, 0)
    for step in qzo_ff(engine, batches, range(len(past), steps), directions, share_batch):
        writer.votes(step.votes)
        yield Taken(sum(step.losses) * NATS / step.forward_passes, step.forward_passes)


def fixed_judge(
    validate: Callable[[], tuple[int, int]], writer: JournalWriter, recorded: Journal | None
) -> Callable[[int], tuple[int, int]]:
    """Validation by step number: what the journal says where it says it, else measured and recorded."""
    known = {e.step: (e.correct, e.loss) for e in recorded.evaluations} if recorded else {}

    def judge(step: int) -> tuple[int, int]:
        if step not in known:
            known[step] = validate()
            writer.evaluation(*known[step])
        return known[step]

    return judge
