export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The scripts only pass the words on to `claviger __complete`, whose answer has the format of Cobra, as
 * kubectl expects it of a plugin: a line for each candidate, with a description after a tab, and at last
 * `:4`, or `:0` if a file is wanted.
 */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# In ~/.bashrc: source <(claviger completion bash)
_claviger() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :0) compopt -o default 2>/dev/null ;;
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(claviger __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _claviger claviger
`,
  zsh: `#compdef claviger
# In ~/.zshrc, after compinit: source <(claviger completion zsh)
_claviger() {
  local line word
  local -a described
  local -i files=0
  for line in "\${(@f)$(claviger __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :0) files=1 ;;
      :*|'') ;;
      *) word=\${line%%$'\\t'*}; described+=("\${word//:/\\\\:}:\${\${line#$word}#$'\\t'}") ;;
    esac
  done
  (( \${#described} )) && _describe claviger described
  (( files )) && _files
}
compdef _claviger claviger
`,
  fish: `# In ~/.config/fish/config.fish: claviger completion fish | source
function __claviger_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (claviger __complete $words[2..-1] 2>/dev/null)
    switch $line
      case ':0'
        __fish_complete_path (commandline -ct)
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c claviger -f -a '(__claviger_complete)'
`,
};
