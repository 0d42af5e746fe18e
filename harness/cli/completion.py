"""``harness completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands and options of harness.

    \b
    Examples:
      source <(harness completion bash)                 in ~/.bashrc
      source <(harness completion zsh)                  in ~/.zshrc
      harness completion fish > ~/.config/fish/completions/harness.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(ctx.find_root().command, {}, "harness", "_HARNESS_COMPLETE").source())
