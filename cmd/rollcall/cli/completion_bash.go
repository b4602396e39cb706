package cli

// withIDs are the nouns whose commands take ids that their lists print.
var withIDs = []string{"app", "deployment", "group", "task"}

const bashHead = `# bash completion of rollcall
_rollcall() {
	local current=${COMP_WORDS[COMP_CWORD]} command= word words list
	for word in "${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
		case $word in
		-*) ;;
		*) [[ $command == *" "* ]] || command="${command:+$command }$word" ;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD-1]} in
	-config | -f | -cacert | -data-dir)
		COMPREPLY=($(compgen -f -- "$current"))
		return
		;;
	esac
	case $command in
`

const bashTail = `	*) words= ;;
	esac
	case $command in
	"app "* | "deployment "* | "group "* | "task "*)
		list=${command%% *}
		[[ $command == "task list" ]] && list=app
		[[ $command == "app list" ]] && list=group
		[[ $current == -* ]] || words=$(rollcall "$list" list -q 2>/dev/null)
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _rollcall rollcall
`
