import { AppError } from "../errors.ts"
import { shellWord } from "../text.ts"
import type { Command, Commands } from "./command.ts"
import { say } from "./command.ts"
import { flagsOf, takes } from "./usage.ts"

/** The commands and their flags, for bash: words alone. */
function bash(flags: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...flags].map(([name, all]) => `    ${name}) words=${shellWord(all.join(" "))} ;;`)
  return `# bash completion for track-studio: source <(track-studio completion bash)
_track_studio() {
  local word=\${COMP_WORDS[COMP_CWORD]} words="" i command=""
  for ((i = 1; i < COMP_CWORD; i += 1)); do
    case \${COMP_WORDS[i]} in
      --) return ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    "") words=${shellWord([...flags.keys(), "help", "--help", "--version"].join(" "))} ;;
    help) words=${shellWord([...flags.keys()].join(" "))} ;;
${cases.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _track_studio track-studio`
}

/** The commands with what they do, and their flags, for zsh. */
function zsh(flags: ReadonlyMap<string, readonly string[]>, commands: Commands): string {
  const described = Object.entries(commands).map(
    ([name, { about }]) => `    ${shellWord(`${name}:${about}`)}`,
  )
  const cases = [...flags].map(([name, all]) => `    ${name}) compadd -- ${all.join(" ")}; _files ;;`)
  return `#compdef track-studio
# zsh completion for track-studio: source <(track-studio completion zsh)
_track_studio() {
  local -a commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join("\n")}
    help) _describe command commands ;;
  esac
}
compdef _track_studio track-studio`
}

/** Prints a completion script for a shell. */
export const completionCommand = (commands: Commands): Command => ({
  usage: {
    line: "completion bash|zsh",
    about: `Prints a completion script. For bash, add to ~/.bashrc:  source <(track-studio completion bash)
For zsh, add to ~/.zshrc after compinit:  source <(track-studio completion zsh)`,
    settings: [],
    flags: {},
  },
  async run(given) {
    takes(given, 1)
    const [shell] = given.words
    if (shell !== "bash" && shell !== "zsh") {
      throw new AppError(
        "invalid",
        shell === undefined ? "missing bash or zsh" : `shell must be bash or zsh, not "${shell}"`,
      )
    }
    const flags = new Map<string, readonly string[]>()
    for (const [name, { load }] of Object.entries(commands)) {
      flags.set(
        name,
        Object.keys(flagsOf((await load()).usage)).map((flag) => `--${flag}`),
      )
    }
    say(shell === "bash" ? bash(flags) : zsh(flags, commands))
    return 0
  },
})
