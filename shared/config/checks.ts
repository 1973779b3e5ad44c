import { maskText } from './mask.ts';
import { isLoopback } from './network.ts';
import { type Problem, showName } from './problems.ts';
import { keyOf } from './schema/agents.ts';
import type { Config, ServerConfig } from './schema.ts';
import { find, type Tree } from './tree.ts';

const minSecretLength = 32;

/** Names that would be the same to somebody: servers and toolsets share `/mcp/NAME`, and case does not tell them apart. */
export function checkNames(root: Tree): Problem[] {
  const problems: Problem[] = [];
  const taken = new Map<string, string>();
  for (const section of ['servers', 'toolsets']) {
    const { tree, found } = find(root, [section]);
    if (!found || tree.kind !== 'map') continue;
    for (const [name, entry] of tree.entries) {
      const holder = taken.get(name.toLowerCase());
      if (holder === undefined) taken.set(name.toLowerCase(), entry.path);
      else {
        const text = `is the same name as ${holder}: servers and toolsets share /mcp/NAME, and case does not count`;
        problems.push({ at: entry.keyAt, path: entry.path, text });
      }
    }
  }
  return problems;
}

/**
 * Servers that would run whatever version of a package is newest: warnings, or mistakes where `security.unpinnedPackages` is `refuse`.
 * A package is named by its arguments, so `secrets` (longest first) are masked in its name.
 */
export function checkPackages({ servers }: Config, root: Tree, secrets: readonly string[]): Problem[] {
  return Object.entries(servers).flatMap(([name, server]) => {
    const pkg = server.disabled ? undefined : unpinnedPackage(server);
    if (pkg === undefined) return [];
    const { tree } = find(root, ['servers', name, 'args']);
    const shown = showName(maskText(pkg, secrets));
    const text = `runs whatever version of ${shown} is newest; pin one: ${shown}@1.2.3`;
    return [{ at: tree.keyAt, path: tree.path, text }];
  });
}

/** What is allowed but probably not meant. */
export function checkSense(config: Config, root: Tree): Problem[] {
  const warnings: Problem[] = [];
  const warn = (path: readonly (string | number)[], text: string): void => {
    const { tree } = find(root, path);
    warnings.push({ at: tree.keyAt, path: tree.path, text });
  };
  for (const [name, server] of Object.entries(config.servers)) {
    if (server.disabled) continue;
    if (server.url !== undefined && Object.keys(server.headers).length > 0 && [server.url].flat().some(isClearText)) {
      warn(['servers', name, 'url'], 'its headers cross the network unencrypted; use https');
    }
    const { auth } = server;
    if (auth !== undefined && auth.issuer === undefined && auth.tokenUrl === undefined) {
      warn(
        ['servers', name, 'auth'],
        'without issuer, its credentials go to whatever authorization server the server names first',
      );
    }
    if (server.command === undefined && (server.args.length > 0 || Object.keys(server.env).length > 0)) {
      warn(['servers', name], 'args and env mean nothing for a url');
    }
    if (server.url === undefined && Object.keys(server.headers).length > 0) {
      warn(['servers', name, 'headers'], 'headers mean nothing for a command');
    }
  }
  if (Object.keys(config.servers).length === 0) warn(['servers'], 'no servers: there is nothing to offer');
  for (const [name, agent] of Object.entries(config.agents)) {
    agent.keys.forEach((key, index) => {
      if (keyOf(key).endsAt <= Date.now()) warn(['agents', name, 'keys', index], 'has expired');
    });
    if (config.auth.mode === 'oauth' && agent.keys.length === 0 && agent.subjects.length === 0) {
      warn(['agents', name], 'has neither subjects nor keys, so nobody can be it');
    }
    if (config.auth.mode !== 'oauth' && agent.subjects.length > 0) {
      warn(['agents', name, 'subjects'], 'means nothing unless auth.mode is oauth');
    }
    if (config.auth.mode === 'keys' && agent.keys.length === 0) {
      warn(['agents', name], `has no keys, so nobody can be it; toolbus keys new ${showName(name)} makes one`);
    }
    if (agent.allow.length === 0) warn(['agents', name], 'allow lists nothing, so it may use nothing');
    for (const list of ['allow', 'deny'] as const) {
      agent[list].forEach((entry, index) => {
        if (!isPattern(entry) && !Object.hasOwn(config.toolsets, entry)) {
          warn(['agents', name, list, index], 'is neither a toolset nor a pattern of tools (server__tool)');
        }
      });
    }
  }
  const { resource } = config.auth;
  if (resource !== undefined && isClearText(resource)) {
    warn(['auth', 'resource'], 'is http: keys and tokens cross the network unencrypted; use https');
  }
  if (config.auth.mode === 'none') warn(['auth', 'mode'], 'anybody who reaches the listener may use every tool');
  const secret = config.cluster.secret.length;
  if (secret > 0 && secret < minSecretLength) {
    warn(['cluster', 'secret'], `is shorter than ${minSecretLength} characters and may be guessed`);
  }
  return warnings;
}

/** Tools are named server__tool, so a word without `__` or a wildcard can only be a toolset. */
function isPattern(text: string): boolean {
  return text.includes('__') || text.includes('*') || text.includes('?');
}

function isClearText(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname);
}

interface Runner {
  /** Words before the package, one of these. */
  readonly verbs?: readonly string[];
  /** Flags whose value is no package. */
  readonly valued?: readonly string[];
  /** Flags whose value is the package; what follows is then the name of its program. */
  readonly from?: readonly string[];
  /** Flags whose value is one more package. */
  readonly also?: readonly string[];
  readonly isExact: (spec: string) => boolean;
}

/** `name@1.2.3`; a range or a tag such as `latest` moves. */
const isExactNpm = (spec: string): boolean => /^.[^@]*@[=v]*\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(spec);
/** `name==1.0`, or `name@1.0`, which uv takes for the same. */
const isExactPython = (spec: string): boolean => /^[^=@<>~!]+(?:===?|@)\d[\w.+!-]*$/.test(spec);

const npx: Runner = {
  valued: ['-c', '--call', '-w', '--workspace', '--registry', '--cache', '--userconfig', '--prefix'],
  from: ['-p', '--package'],
  isExact: isExactNpm,
};
const uvx: Runner = {
  valued: ['--python', '-p', '--index-url', '-i', '--index', '--default-index', '--extra-index-url', '--directory'],
  from: ['--from'],
  also: ['--with'],
  isExact: isExactPython,
};

const runners: ReadonlyMap<string, Runner> = new Map([
  ['npx', npx],
  ['bunx', { from: ['-p', '--package'], isExact: isExactNpm }],
  ['bun', { verbs: ['x'], from: ['-p', '--package'], isExact: isExactNpm }],
  ['pnpm', { verbs: ['dlx'], from: ['--package'], isExact: isExactNpm }],
  ['yarn', { verbs: ['dlx'], from: ['-p', '--package'], isExact: isExactNpm }],
  ['npm', { ...npx, verbs: ['exec', 'x'] }],
  ['uvx', uvx],
  ['uv', { ...uvx, verbs: ['tool run'] }],
  ['pipx', { verbs: ['run'], valued: ['--python', '--index-url', '-i'], from: ['--spec'], isExact: isExactPython }],
]);

/**
 * The first package that a runner such as `npx` would fetch in a version that nobody chose: without one, or with a range or a tag. Paths,
 * URLs and git addresses are what they are. `cmd /c npx …`, as clients on Windows have it, is looked through.
 */
export function unpinnedPackage({ command = '', args }: Pick<ServerConfig, 'command' | 'args'>): string | undefined {
  const program = command.replace(/^.*[\\/]/, '').replace(/\.(cmd|exe)$/i, '');
  if (program.toLowerCase() === 'cmd' && /^\/c$/i.test(args[0] ?? '')) {
    return unpinnedPackage({ command: args[1], args: args.slice(2) });
  }
  const runner = runners.get(program);
  if (runner === undefined) return undefined;
  const verb = (runner.verbs ?? ['']).find((words) => words === '' || `${args.join(' ')} `.startsWith(`${words} `));
  if (verb === undefined) return undefined;
  const rest = args.slice(verb === '' ? 0 : verb.split(' ').length);
  return fetchedBy(runner, rest)
    .find((spec) => !isPlace(spec) && !runner.isExact(spec))
    ?.replace(/(.)[@=<>~!].*$/s, '$1');
}

/** What a runner with these arguments fetches. */
function fetchedBy({ valued = [], from = [], also = [] }: Runner, args: readonly string[]): string[] {
  const named: string[] = [];
  const added: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const equals = arg.startsWith('-') ? arg.indexOf('=') : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const list = from.includes(flag) ? named : also.includes(flag) ? added : undefined;
    if (list !== undefined || valued.includes(flag)) {
      if (equals < 0) at += 1;
      list?.push(equals < 0 ? (args[at] ?? '') : arg.slice(equals + 1));
    } else if (!arg.startsWith('-')) return named.length > 0 ? [...named, ...added] : [arg, ...added];
  }
  return [...named, ...added];
}

function isPlace(spec: string): boolean {
  return spec === '' || /^[./~]|:/.test(spec);
}
