package cli

// In each of these scripts CASES stands for what can follow each command, VALUED for the flags that take a value, FILES for
// those of them that take a file, and FORMS for those that take a form of output. All find the command in the same way:
// its words are the first two that are no flag and no flag's value.

const bashScript = `# bash completion of rollcall
_rollcall() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= skip= word words list
	for word in "${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
		case $skip$word in
		VALUED) skip=value: ;;
		value:*) skip= ;;
		-*) ;;
		*) [[ $command == *" "* ]] || command="${command:+$command }$word" ;;
		esac
	done
	case $previous in
	FILES) COMPREPLY=($(compgen -f -- "$current")); return ;;
	FORMS) COMPREPLY=($(compgen -W "text json" -- "$current")); return ;;
	VALUED) COMPREPLY=(); return ;;
	esac
	case $command in
	CASES
	*) words= ;;
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

const zshScript = `#compdef rollcall
# zsh completion of rollcall
_rollcall() {
	local command= skip= word list
	local -a found
	for word in "${(@)words[2,CURRENT-1]}"; do
		case $skip$word in
		VALUED) skip=value: ;;
		value:*) skip= ;;
		-*) ;;
		*) [[ $command == *" "* ]] || command="${command:+$command }$word" ;;
		esac
	done
	case $words[CURRENT-1] in
	FILES) _files; return ;;
	FORMS) compadd text json; return ;;
	VALUED) return 1 ;;
	esac
	case $command in
	CASES
	esac
	case $command in
	"app "* | "deployment "* | "group "* | "task "*)
		list=${command%% *}
		[[ $command == "task list" ]] && list=app
		[[ $command == "app list" ]] && list=group
		if [[ $PREFIX != -* ]]; then
			compadd -- ${(f)"$(rollcall $list list -q 2>/dev/null)"}
			return
		fi
		;;
	esac
	_describe -t commands rollcall found
}
# Found by compinit this file is the function itself; else it is read by "source".
if [[ $funcstack[1] == _rollcall ]]; then
	_rollcall "$@"
else
	(( $+functions[compdef] )) || { autoload -U compinit && compinit -D }
	compdef _rollcall rollcall
fi
`

const fishTemplate = `# fish completion of rollcall
function __rollcall_complete
	set -l before (commandline -opc)
	set -l current (commandline -ct)
	set -l words
	set -l skip
	for word in $before[2..]
		if test -n "$skip"
			set skip
			continue
		end
		switch $word
		case VALUED
			set skip yes
		case '-*'
		case '*'
			test (count $words) -lt 2; and set -a words $word
		end
	end
	switch "$before[-1]"
	case FILES
		__fish_complete_path $current
		return
	case FORMS
		printf '%s\n' text json
		return
	case VALUED
		return
	end
	switch "$words"
	case 'app *' 'deployment *' 'group *' 'task *'
		set -l list $words[1]
		test "$words" = 'task list'; and set list app
		test "$words" = 'app list'; and set list group
		if not string match -q -- '-*' $current
			rollcall $list list -q 2>/dev/null
			return
		end
	end
	switch "$words"
	CASES
	end
end
complete -c rollcall -f -a '(__rollcall_complete)'
`
