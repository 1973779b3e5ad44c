/**
 * The guard: one small shell per child, in a session of its own so that no signal meant for us or for the child reaches it.
 * Only we hold the other end of its stdin, but for a moment the child before its exec, too. It learns the child's process
 * group from the first line; the second read returns when we end the pipe or are gone, however we died, and then the group is killed.
 * It is our own child, so that it is reaped by us and not left to a PID 1 that may never do it.
 *
 * A program that calls setsid leaves the group and escapes; no portable means prevents that.
 */
export const guardScript = 'cd /; read -r group || exit 0; read -r _; kill -s KILL -- "-$group"';

/** Which descriptor of the child leads to the guard until the program is executed. */
export const guardFd = 3;

/**
 * What every child begins as. It never changes: the program and its arguments are positional parameters, which no shell parses.
 * It tells the guard its own number before it becomes the program, so there is no moment at which the program runs unguarded.
 */
const childScript = `echo "$$" >&3 || exit 126; unset PWD OLDPWD SHLVL; exec "$@" 3>&-`;

/** Variables that some /bin/sh sets, changes, drops or chokes on, as measured with dash and bash. */
const shellOwned = new Set(
  'COLUMNS DIRSTACK ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD IFS LINENO LINES MAIL MAILCHECK MAILPATH OLDPWD OPTARG OPTERR OPTIND POSIXLY_CORRECT PPID PS1 PS2 PS4 PWD RANDOM SECONDS SHELLOPTS SHLVL SRANDOM UID _'.split(
    ' ',
  ),
);

const portableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface GuardedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * How to start `program` (an absolute path) behind the script so that it gets exactly `env`. A shell would drop names such as
 * `a.b` and add PWD; so `env` takes away what shells add and puts back what they would lose. Only those few values pass through
 * an argument list, and only until `env` has become the program.
 */
export function guardedCommand(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): GuardedCommand {
  const throughShell: Record<string, string> = Object.create(null);
  const besideShell: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (portableName.test(name) && !shellOwned.has(name) && !name.startsWith('BASH')) throughShell[name] = value;
    else besideShell.push(`${name}=${value}`);
  }
  // `env` takes an operand with "=" for a variable, so a program with "=" in its path has to be started without it.
  const prefix = program.includes('=')
    ? []
    : ['/usr/bin/env', '-u', 'PWD', '-u', 'OLDPWD', '-u', 'SHLVL', '-u', '_', '--', ...besideShell];
  return {
    file: '/bin/sh',
    args: ['-c', childScript, 'toolbus-child', ...prefix, program, ...args],
    env: throughShell,
  };
}
