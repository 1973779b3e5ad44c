import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, relative, resolve } from 'node:path';
import { exitCode, OperatorError } from '../errors.ts';
import { checkNames, checkPackages, checkSense } from './checks.ts';
import { adoptClientServers } from './client-file.ts';
import { type LocateOptions, locateConfig } from './locate.ts';
import { formatProblem, invalidConfig } from './problems.ts';
import { causeOf, readSmallFile, resolveReferences } from './resolve.ts';
import { dataDirOf, overrideFromEnvironment } from './runtime.ts';
import type { Config } from './schema.ts';
import { parseTree, type Syntax } from './tree.ts';
import { validate } from './validate.ts';

export interface LoadOptions extends LocateOptions {
  /** Where `${dir:…}` leads; default: as `resolveRuntime` says without flags. */
  readonly dataDir?: string | undefined;
  /** Make the directories that `${dir:…}` names: for what starts servers. Default false. */
  readonly makeDirectories?: boolean | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path. */
  readonly file: string;
  /** It is the example that comes with toolbus. */
  readonly bundled: boolean;
  /** One line each, `file:line:col: key.path: what`. */
  readonly warnings: readonly string[];
  /** What variables and files held, longest first: mask these in whatever is shown. None is shorter than 6 characters. */
  readonly secrets: readonly string[];
  /** Changes with the file and with every file it refers to. Not for showing: it covers secrets. */
  readonly digest: string;
  /** Absolute paths of everything that was read, the configuration first. */
  readonly files: readonly string[];
}

const maxFileBytes = 1 << 20;
/** Shorter values (`true`, `8080`) are no secrets, and masking them would garble what is shown. */
const minSecretLength = 6;

/**
 * Finds, reads and checks the configuration. Anything wrong is one `OperatorError` with exit code 2 that lists every problem as
 * `file:line:col: key.path: what is wrong`; no value of a variable or a file is ever part of it.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { env, cwd } = options;
  const { file, bundled } = await locateConfig(options);
  const shown = showFile(file, cwd);
  const text = await readConfigFile(file, shown);
  const parsed = parseTree(text, syntaxOf(file, text));
  const { locate } = parsed;
  if (parsed.root === undefined) throw invalidConfig(shown, locate, parsed.problems);

  const adopted = adoptClientServers(parsed.root, file);
  const resolved = await resolveReferences(adopted.root, {
    file,
    env,
    cwd,
    dataDir: options.dataDir ?? dataDirOf(env, cwd),
    makeDirectories: options.makeDirectories ?? false,
    clientFile: adopted.clientFile,
  });
  const valid = validate(resolved.root);
  const problems = [...parsed.problems, ...adopted.problems, ...resolved.problems, ...checkNames(resolved.root)];
  if ('problems' in valid) {
    // What could not be read stands there empty; that it is empty would only confuse.
    const known = new Set(problems.map(({ path }) => path));
    problems.push(...valid.problems.filter(({ path }) => path === '' || !known.has(path)));
  }
  if ('problems' in valid || problems.length > 0) throw invalidConfig(shown, locate, problems);

  const config = overrideFromEnvironment(settle(valid.config, dirname(file)), env);
  const known = new Set([...resolved.secrets, config.cluster.secret, ...config.cluster.previousSecrets]);
  const secrets = [...known].filter(({ length }) => length >= minSecretLength).sort((a, b) => b.length - a.length);
  const unpinned = checkPackages(config, resolved.root, secrets);
  if (config.security.unpinnedPackages === 'refuse' && unpinned.length > 0)
    throw invalidConfig(shown, locate, unpinned);
  const warnings = [...adopted.warnings, ...resolved.warnings, ...unpinned, ...checkSense(config, resolved.root)]
    .toSorted((a, b) => a.at - b.at)
    .map((warning) => formatProblem(shown, locate, warning));
  if (await isWorldWritable(file))
    warnings.unshift(`${shown}: every user of this machine can change it, and so run programs`);
  const digest = createHash('sha256').update(text);
  for (const [path, content] of resolved.files) digest.update(`\0${path}\0${content}`);
  return {
    config,
    file,
    bundled,
    warnings,
    secrets,
    digest: digest.digest('hex'),
    files: [file, ...resolved.files.keys()],
  };
}

async function readConfigFile(file: string, shown: string): Promise<string> {
  try {
    return await readSmallFile(file, maxFileBytes);
  } catch (error) {
    throw new OperatorError(exitCode.usage, `${shown}: cannot be read: ${causeOf(error)}`);
  }
}

function syntaxOf(file: string, text: string): Syntax {
  const extension = extname(file).toLowerCase();
  if (extension === '.json' || extension === '.jsonc') return 'json';
  if (extension === '.yaml' || extension === '.yml') return 'yaml';
  return /^\s*[{/]/.test(text) ? 'json' : 'yaml';
}

/** As somebody standing in `cwd` would name it. */
function showFile(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short.startsWith('..') || isAbsolute(short) ? file : short;
}

/** Names from outside must not meet `Object.prototype`, each transport has one spelling, and paths are absolute. */
function settle(config: Config, directory: string): Config {
  const servers: Config['servers'] = Object.create(null);
  for (const [name, server] of Object.entries(config.servers)) {
    const type = server.command !== undefined ? 'stdio' : server.type === 'streamable-http' ? 'http' : server.type;
    servers[name] = type === undefined ? server : { ...server, type };
  }
  return {
    ...config,
    tls: config.tls && { cert: resolve(directory, config.tls.cert), key: resolve(directory, config.tls.key) },
    servers,
    toolsets: Object.assign(Object.create(null), config.toolsets),
    agents: Object.assign(Object.create(null), config.agents),
  };
}

async function isWorldWritable(file: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const stats = await stat(file).catch(() => undefined);
  return stats !== undefined && (stats.mode & 0o002) !== 0;
}
