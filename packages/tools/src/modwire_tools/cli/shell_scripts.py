"""`--show-completion` and `--install-completion` for bash, zsh and fish.

Typer has scripts of its own, but its words of bash break at colons, and in zsh and fish a space
follows each value. For other shells they are used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .completing import LINE_VARIABLE, SHELL_VARIABLE, WORD_VARIABLE
from .ending import WrongArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

# bash 3.2, which macOS has, knows neither mapfile nor compopt.
_BASH = f"""\
# _MODWIRE_COMPLETE=complete_bash
_modwire_completion() {{
    local line kind=""
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$kind" ]; then kind=$line; else COMPREPLY+=("${{line%%$'\\t'*}}"); fi
    done < <({SHELL_VARIABLE}=bash {LINE_VARIABLE}="${{COMP_LINE:0:COMP_POINT}}" \\
        {WORD_VARIABLE}="$2" "$1" 2>/dev/null)
    if type compopt >/dev/null 2>&1; then
        [ "$kind" = "goes on" ] && compopt -o nospace
        [ "$kind" = "files" ] && compopt -o default
    fi
    return 0
}}
complete -F _modwire_completion modwire
"""
_ZSH = f"""\
#compdef modwire
_modwire() {{
    local -a answer values shown
    local line
    answer=("${{(@f)$({SHELL_VARIABLE}=zsh ${{words[1]}} \\
        "${{(@Q)words[2,CURRENT-1]}}" "${{(Q)PREFIX}}" 2>/dev/null)}}")
    for line in "${{(@)answer[2,-1]}}"; do
        values+=("${{line%%$'\\t'*}}")
        shown+=("${{line%%$'\\t'*}}${{${{line#*$'\\t'}}:+  -- ${{line#*$'\\t'}}}}")
    done
    case ${{answer[1]}} in
        (files) _files ;;
        ("goes on") compadd -l -S "" -d shown -a values ;;
        (*) compadd -l -d shown -a values ;;
    esac
}}
if [[ ${{funcstack[1]}} = _modwire ]]; then _modwire "$@"; else compdef _modwire modwire; fi
"""
_FISH = f"""\
function __modwire_complete
    set -l words (commandline -opc)
    set -l answer (env {SHELL_VARIABLE}=fish $words[1] $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$answer[1]" = files
        __fish_complete_path (commandline -ct)
    else if set -q answer[2]
        printf '%s\\n' $answer[2..-1]
    end
end
complete -c modwire -f -a '(__modwire_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_OTHERS = ("powershell", "pwsh")  # typer knows them
_ZSH_SETUP = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"


def answer_option(words: list[str]) -> bool:
    """Show or install the script if the arguments ask for that; return False if it is typer's."""
    if words[:1] not in (["--show-completion"], ["--install-completion"]):
        return False
    shell = words[1] if len(words) > 1 else detected()
    if shell not in SCRIPTS:
        if len(words) > 1 and shell not in _OTHERS:
            raise WrongArgumentError(
                f"{words[0]} must be one of {', '.join(SCRIPTS)}, got {shell!r}"
            )
        return False
    if words[0] == "--show-completion":
        sys.stdout.write(SCRIPTS[shell])
    else:
        path = install(shell, Path.home())
        sys.stdout.write(f"{shell} completion installed in {path}; it works in a new shell\n")
    return True


def detected() -> str:
    """Return the name of the shell that has started this process, "" if it is not known."""
    from importlib import import_module

    module = import_module("shellingham")  # which typer needs; it has no type hints
    detect: Callable[[], tuple[str, str]] = module.detect_shell
    failure: type[Exception] = module.ShellDetectionFailure
    try:
        return detect()[0]
    except failure:
        return Path(os.environ.get("SHELL", "")).name


def install(shell: str, home: Path) -> Path:
    """Write the script to its place in the folder `home`, and return its path.

    The shell's own settings file gets a line if it needs one, once. Raises OSError.
    """
    path, settings, line = {
        "bash": (
            home / ".bash_completions" / "modwire.sh",
            home / ".bashrc",
            "source ~/.bash_completions/modwire.sh",
        ),
        "zsh": (home / ".zfunc" / "_modwire", home / ".zshrc", _ZSH_SETUP),
        "fish": (home / ".config" / "fish" / "completions" / "modwire.fish", None, ""),
    }[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPTS[shell], encoding="utf-8")
    if settings is not None:
        text = settings.read_text(encoding="utf-8") if settings.exists() else ""
        if line not in text.splitlines():
            with settings.open("a", encoding="utf-8") as file:
                file.write(f"{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
    return path
