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

/** What is allowed but probably not meant. */
export function checkSense(config: Config, root: Tree): Problem[] {
  const warnings: Problem[] = [];
  const warn = (path: readonly (string | number)[], text: string): void => {
    const { tree } = find(root, path);
    warnings.push({ at: tree.keyAt, path: tree.path, text });
  };
  for (const [name, server] of Object.entries(config.servers)) {
    if (server.disabled) continue;
    const pkg = unpinnedPackage(server);
    if (pkg !== undefined) {
      warn(
        ['servers', name, 'args'],
        `runs whatever version of ${showName(pkg)} is newest; pin one: ${showName(pkg)}@1.2.3`,
      );
    }
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

const runners: ReadonlyMap<string, { readonly verbs: readonly string[]; readonly valued: readonly string[] }> = new Map(
  [
    ['npx', { verbs: [], valued: ['-c', '--call', '-w', '--workspace', '--registry', '--cache'] }],
    ['bunx', { verbs: [], valued: [] }],
    ['pnpm', { verbs: ['dlx', 'exec'], valued: [] }],
    ['yarn', { verbs: ['dlx'], valued: [] }],
    ['npm', { verbs: ['exec', 'x'], valued: [] }],
    ['uvx', { verbs: [], valued: ['--python', '-p', '--with', '--index-url', '--index'] }],
  ],
);

/** The package that a runner such as `npx` would fetch in its newest version, if the entry names one without a version. */
export function unpinnedPackage(server: Pick<ServerConfig, 'command' | 'args'>): string | undefined {
  const program = server.command?.replace(/^.*[\\/]/, '').replace(/\.(cmd|exe)$/i, '');
  const runner = program === undefined ? undefined : runners.get(program);
  if (program === undefined || runner === undefined) return undefined;
  const { args } = server;
  let at = 0;
  if (runner.verbs.length > 0) {
    if (args[0] === undefined || !runner.verbs.includes(args[0])) return undefined;
    at = 1;
  }
  for (; at < args.length; at++) {
    const arg = args[at]!;
    const named = /^(?:--package|-p|--from)(?:=(.*))?$/.exec(arg);
    if (named !== null && !runner.valued.includes(arg)) return versionless(program, named[1] ?? args[at + 1]);
    if (runner.valued.includes(arg)) at += 1;
    else if (!arg.startsWith('-')) return versionless(program, arg);
  }
  return undefined;
}

function versionless(program: string, spec: string | undefined): string | undefined {
  // A path, a URL or a git address is what it is.
  if (spec === undefined || /^[./~]|:/.test(spec) || spec === '') return undefined;
  if (program === 'uvx') return /[@=<>~]/.test(spec.slice(1)) && !spec.endsWith('@latest') ? undefined : spec;
  const version = spec.indexOf('@', 1);
  const name = version < 0 ? spec : spec.slice(0, version);
  return version < 0 || spec.slice(version + 1) === 'latest' ? name : undefined;
}
