"""`lstm-jax completion`: a script for completion in a shell.

The script lists every command, recipe and option at the time when it is written, because running
the program at each Tab would mean waiting for JAX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_jax.arguments import PROGRAM

SHELLS = ("bash", "zsh")
USAGE = f"""usage: {PROGRAM} completion SHELL

Print a script that completes commands, recipes and options. SHELL is bash or zsh.

  bash   {PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{PROGRAM}
  zsh    {PROGRAM} completion zsh > ~/.{PROGRAM}.zsh, and in ~/.zshrc: source ~/.{PROGRAM}.zsh"""

Flags = Mapping[str, Sequence[str]]
"""Option -> its choices, as from `lstm_jax.arguments.flags_in`."""

SCRIPT = """\
_lstm_jax() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" at=$COMP_CWORD words="" before="" place key
  set -- "${{COMP_WORDS[@]}}"
  place="$2"
  case "$2" in {nested}) place="$2 $3" ;; esac
  if [ "$at" -gt 1 ]; then eval "before=\\${{$at}}"; fi
  if [ "$at" -eq 1 ]; then key=""
  elif [ "$at" -eq 2 ] && [ "$place" != "$2" ]; then key="$2"
  else key="$place"
  fi
  case "$key" in
{words}
  esac
  case "$key:$before" in
{choices}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _lstm_jax {program}
"""
ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def script(shell: str, commands: Mapping[str, Flags], nested: Mapping[str, Sequence[str]]) -> str:
    """Build the script of a shell.

    Args:
        shell: one of `SHELLS`.
        commands: the options of each command, such as "sample" or "train tang".
        nested: the names that may follow a command, such as those of the recipes.

    Returns:
        The script, which the shell reads when it starts.
    """
    first = dict.fromkeys(name.split()[0] for name in [*commands, *nested])
    words = {"": first, **nested, **commands}
    choices = {
        f"{name}:{flag}": values
        for name, flags in commands.items()
        for flag, values in flags.items()
        if values
    }
    text = SCRIPT.format(
        nested="|".join(nested), words=_cases(words), choices=_cases(choices), program=PROGRAM
    )
    return ZSH + text if shell == "zsh" else text


def _cases(words: Mapping[str, Sequence[str] | Flags]) -> str:
    return "\n".join(f"    '{key}') words='{' '.join(names)}' ;;" for key, names in words.items())
