"""Updates, made as ``Trainer.train`` makes them between validations."""

from s2s.training.progress import ProgressDisplay


def make_updates(trainer, number):
    """Make the first updates of an epoch, as many as it has: of each the loss and the number of tokens."""
    plan, display, made = trainer._plan(), ProgressDisplay(silent=True), []
    for update in range(min(number, len(plan.groups))):
        trainer._set_learning_rate()
        nll, tokens = trainer._update(plan, update)
        trainer._count(nll, tokens, record=None)
        display.update(trainer.state, share=trainer._share(), nll=nll, tokens=tokens)
        made.append((nll, tokens))
    return made
