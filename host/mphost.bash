# bash completion for mphost                                               -*- shell-script -*-
# Options up to the script; behind it files, as the script's arguments.

_mphost() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i
  COMPREPLY=()
  compopt -o filenames 2>/dev/null
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    -e | -l | -j | --jobs | --seed | --log | --joblog | --top) ((++i)) ;;
    =) ((++i)) ;; # "--log=info" comes as three words
    --) break ;;
    -?*) ;;
    *) break ;;
    esac
  done
  if [[ $before == = ]] && ((COMP_CWORD >= 2)); then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $word == = ]]; then
    word=
  fi
  if ((i < COMP_CWORD)); then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  case $before in
  -e | -l | --seed) return ;;
  -j | --jobs) mapfile -t COMPREPLY < <(compgen -W "1 2 4 8 $(nproc 2>/dev/null)" -- "$word") ;;
  --top) mapfile -t COMPREPLY < <(compgen -W "$(pgrep -x mphost 2>/dev/null)" -- "$word") ;;
  --joblog) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  --log) mapfile -t COMPREPLY < <(compgen -W "debug info warn error" -- "$word") ;;
  *)
    if [[ $word == -* ]]; then
      mapfile -t COMPREPLY < <(compgen -W "-e -l -i -v --version -E -W -j --jobs --seed --progress --log --joblog --top -h --help --" -- "$word")
    else
      mapfile -t COMPREPLY < <(compgen -f -X '!*.lua' -- "$word"; compgen -d -- "$word")
    fi
    ;;
  esac
}

complete -F _mphost mphost
