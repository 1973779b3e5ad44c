import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { toolbusVersion } from '../../shared/version.ts';
import type { CommonFlags } from './flags.ts';
import { printFailure } from './output/failure.ts';

/** What is said last must be written. */
const lingerMs = 300;

/** Reads the command line and runs one command; each is loaded only when it is asked for. */
const program = new Command('toolbus')
  .description('An MCP gateway built as a message broker.')
  .version(toolbusVersion(), '--version')
  .showHelpAfterError('(run with --help for the flags)')
  .configureOutput({ writeErr: () => undefined })
  .exitOverride();

function command(name: string, description: string, parent: Command = program): Command {
  return parent
    .command(name)
    .description(description)
    .option('--config <file>', 'configuration file (default: ./toolbus.yaml, then the XDG config directory)')
    .option('--nats <url>', 'NATS to join (default: NATS_URL, then the configuration)')
    .option('--data-dir <dir>', 'where the embedded nats-server keeps its data (default: ./.toolbus)')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .option('--json', 'machine-readable output on stdout');
}

function listening(name: string, description: string): Command {
  return command(name, description)
    .option('--host <address>', 'address of the public listener (default: 127.0.0.1)')
    .option('--port <number>', 'port of the public listener, 0 for any free one (default: 8080)')
    .option('--admin-host <address>', 'address of the admin listener (default: 127.0.0.1)')
    .option('--admin-port <number>', 'port of the admin listener, 0 for any free one (default: 8081)');
}

listening('up', 'everything on this machine: nats-server, ingress, and a worker for each configured server').action(
  async (flags: CommonFlags) => done((await import('./commands/up.ts')).runUp(flags)),
);
listening('ingress', 'one ingress, joined to a NATS').action(async (flags: CommonFlags) =>
  done((await import('./commands/ingress.ts')).runIngress(flags)),
);
command('worker', 'one worker (sidecar) for one server of the configuration')
  .argument('<server>', 'name of the server')
  .action(async (server: string, flags: CommonFlags) =>
    done((await import('./commands/worker.ts')).runWorker(server, flags)),
  );
command('check', 'load and validate the configuration and print what would run').action(async (flags: CommonFlags) =>
  done(
    (await import('./commands/check.ts')).runCheck({
      file: flags.config,
      flags,
      env: process.env,
      cwd: process.cwd(),
      json: flags.json === true,
      stdout: process.stdout,
    }),
  ),
);
command('servers', 'servers, their workers, breakers, versions and last errors').action(async (flags: CommonFlags) =>
  done((await import('./commands/servers.ts')).runServers(flags)),
);

const tools = program.command('tools').description('look at the catalog and try a tool');
command('ls', 'list tools', tools)
  .option('--agent <name>', 'as this agent sees them')
  .option('--server <name>', 'of this server only')
  .option('--all', 'hidden and quarantined ones too, with the reason')
  .action(async (flags: CommonFlags & { agent?: string; server?: string; all?: boolean }) =>
    done((await import('./commands/tools.ts')).runToolsList(flags)),
  );
command('inspect', 'show one tool with its schemas', tools)
  .argument('<tool>', 'name as agents see it: server__tool')
  .action(async (tool: string, flags: CommonFlags) =>
    done((await import('./commands/tools.ts')).runToolsInspect(tool, flags)),
  );
command('approve', 'accept the changed definitions of pinned tools', tools)
  .argument('<server>', 'name of the server, or server__tool')
  .argument('[tool]', 'only this tool of it')
  .option('--hash <hash>', 'only if this is the definition: the hash that `tools inspect` shows')
  .action(async (server: string, tool: string | undefined, flags: CommonFlags & { hash?: string }) =>
    done((await import('./commands/tools-approve.ts')).runToolsApprove(server, tool, flags)),
  );
command('call', 'call one tool', tools)
  .argument('<tool>', 'name as agents see it: server__tool')
  .argument('[arguments...]', 'a JSON object, or key=value pairs')
  .action(async (tool: string, words: string[], flags: CommonFlags) =>
    done((await import('./commands/tools.ts')).runToolsCall(tool, words, flags)),
  );

const keys = program.command('keys').description('make API keys');
command('new', 'make a key for an agent: the key once, and its hash for the configuration', keys)
  .argument('<agent>', 'name of the agent')
  .option('--expires <date>', 'when it ends: 2027-01-31, or a time with its zone')
  .action(async (agent: string, flags: CommonFlags & { expires?: string }) =>
    done((await import('./commands/keys.ts')).runKeysNew(agent, flags.json === true, process.stdout, flags.expires)),
  );
command('hash', 'read a key from stdin and print its hash', keys).action(async (flags: CommonFlags) =>
  done((await import('./commands/keys.ts')).runKeysHash(process.stdin, flags.json === true, process.stdout)),
);

command('block', 'take an agent, a server or a tool out of service on every ingress; alone: list what is blocked')
  .argument('[kind]', 'agent, server or tool')
  .argument('[name]', 'its name; of a tool as agents see it: server__tool')
  .option('--reason <text>', 'why; the agent and other operators read it')
  .option('--force', 'block a name that is not known here')
  .action(async (kind: string | undefined, name: string | undefined, flags: CommonFlags) =>
    done((await import('./commands/block.ts')).runBlock(kind, name, flags)),
  );
command('unblock', 'put it back into service')
  .argument('<kind>', 'agent, server or tool')
  .argument('<name>', 'its name')
  .option('--reason <text>', 'why')
  .action(async (kind: string, name: string, flags: CommonFlags) =>
    done((await import('./commands/block.ts')).runUnblock(kind, name, flags)),
  );
command('doctor', 'walk configuration, NATS, worker, upstream, discovery and authentication and name what is broken')
  .argument('[server]', 'only this server')
  .option('--url <url>', 'endpoint of an ingress (default: that of the `up` on this machine)')
  .option('--key <key>', 'also try this API key (default: TOOLBUS_API_KEY)')
  .action(async (server: string | undefined, flags: CommonFlags) =>
    done((await import('./commands/doctor.ts')).runDoctor(server, flags)),
  );
command('connect', 'print the entry for a client, or merge it into the file of the client')
  .argument('<client>', 'claude-desktop, claude-code, cursor or vscode')
  .option('--write', 'merge it into the file of the client, after a copy to FILE.bak')
  .option('--file <file>', 'the file of the client, where it is not at its usual place')
  .option('--scope <scope>', 'user: for all your work; project: the file of the current directory')
  .option('--url <url>', 'endpoint (default: that of the `up` on this machine)')
  .option('--name <name>', 'name of the entry', 'toolbus')
  .option('--agent <name>', 'make a new key for this agent; it is shown once, with the line for the configuration')
  .option('--key <key>', 'write this API key into the entry; - reads it from stdin')
  .action(async (client: string, flags: CommonFlags) =>
    done((await import('./commands/connect.ts')).runConnect(client, flags)),
  );
command('stdio', 'stdio server for clients that only start processes; passes everything on to an ingress')
  .option('--url <url>', 'endpoint (default: TOOLBUS_URL, then that of the `up` on this machine)')
  .option('--key-file <file>', 'file that holds the API key (default: the variable TOOLBUS_API_KEY)')
  .option('--wait <seconds>', 'how long a request waits for a gateway that cannot be reached (default: 15)')
  .action(async (flags: CommonFlags) => done((await import('./commands/stdio.ts')).runStdio(flags)));
command('import <file>', 'turn the mcpServers or servers file of a client into toolbus configuration')
  .option('--write', 'add the servers to --config (default: ./toolbus.yaml), after a copy to FILE.bak')
  .action(async (file: string, flags: CommonFlags) =>
    done((await import('./commands/import.ts')).runImport(file, flags)),
  );

const audit = program.command('audit').description('read, verify and replay what was recorded');

function reading(name: string, description: string): Command {
  const asks = command(name, description, audit).option('--agent <name>', 'of this agent only');
  const choosing =
    name === 'replay'
      ? asks.option('--server <name>', 'of this server only; RECORDED=ASKED sends them to another one', several)
      : asks.option('--server <name>', 'of this server only');
  return choosing
    .option('--tool <name>', 'of this tool only: its own name or server__tool; * is any text')
    .option(
      '--outcome <word>',
      'ok, tool_error, rpc_error, cancelled, or a reason such as upstream_timeout or rate_limited',
    );
}

function searching(name: string, description: string): Command {
  return reading(name, description)
    .option('--since <time>', 'from then on: 15m, 2h, 7d, or 2026-11-22T16:00Z')
    .option('--until <time>', 'before that time');
}

reading('tail', 'the last records, then each as it is written').action(async (flags: CommonFlags) =>
  done((await import('./commands/audit/tail.ts')).runAuditTail(flags)),
);
searching('search', 'recorded calls; with --json the records themselves, as NDJSON')
  .argument('[text]', 'text that stands in the record, whatever its case')
  .option('--limit <number>', 'stop after so many', wholeNumber)
  .action(async (text: string | undefined, flags: CommonFlags) =>
    done((await import('./commands/audit/search.ts')).runAuditSearch(text, flags)),
  );
command('show', 'one call, hop by hop', audit)
  .argument('<call>', 'call id')
  .action(async (call: string, flags: CommonFlags) =>
    done((await import('./commands/audit/show.ts')).runAuditShow(call, flags)),
  );
searching('export', 'records and checkpoints as NDJSON')
  .option('--out <file>', 'into this file instead of stdout')
  .action(async (flags: CommonFlags) => done((await import('./commands/audit/export.ts')).runAuditExport(flags)));
command(
  'verify',
  'check that no record was edited, dropped, swapped or cut off; exit code 6 names the first bad one',
  audit,
)
  .option('--file <export>', 'an export instead of the live stream')
  .option(
    '--public-key <key>',
    'key that may have signed; may be given more than once',
    (key: string, keys: string[] = []) => [...keys, key],
  )
  .option('--checkpoints <file>', 'the file of audit.checkpoints.file: what it holds must be in the stream')
  .action(async (flags: CommonFlags) => done((await import('./commands/audit/verify.ts')).runAuditVerify(flags)));
command('hmac', 'how audit.arguments: hmac records a value, to look for it', audit)
  .argument('<value>', 'a guessed value')
  .action(async (value: string, flags: CommonFlags) =>
    done((await import('./commands/audit/hmac.ts')).runAuditHmac(value, flags)),
  );
command('accept-loss', 'the audit stream is gone: begin a new one', audit).action(async (flags: CommonFlags) =>
  done((await import('./commands/audit/accept-loss.ts')).runAuditAcceptLoss(flags)),
);

searching('replay', 'make recorded calls again and compare the answers')
  .option('--speed <pace>', 'original, max (as fast as they are answered), or a factor such as 10', 'max')
  .option('--to <url>', 'another toolbus, as http://host:8080/mcp; its key in TOOLBUS_API_KEY')
  .option('--dry-run', 'say what would be done')
  .option('--all', 'also tools that do not say of themselves that they are read-only or idempotent')
  .option('--concurrency <number>', 'calls on their way at the same time (default: 8)', wholeNumber)
  .option(
    '--ignore <pointer>',
    'JSON pointer of what varies in results; * is any member, ** at the end all below',
    several,
  )
  .option('--resume <run>', 'go on with a run that was cut off')
  .action(async (flags: CommonFlags) => done((await import('./commands/audit/replay.ts')).runAuditReplay(flags)));
command('diff', 'what differs between the recorded answers and those of a replay', audit)
  .argument('<run>', 'run, as `audit replay` named it')
  .option('--ignore <pointer>', 'JSON pointer of what varies in results', several)
  .action(async (run: string, flags: CommonFlags) =>
    done((await import('./commands/audit/diff.ts')).runAuditDiff(run, flags)),
  );

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number above 0');
  return Number(text);
}

async function done(result: Promise<number>): Promise<void> {
  process.exitCode = await result;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = failureCode(error);
  // A connection that was open when the command failed must not keep the process.
  setTimeout(() => process.exit(), lingerMs).unref();
}

function failureCode(error: unknown): number {
  const json = process.argv.includes('--json');
  if (error instanceof CommanderError && error.exitCode === 0) return exitCode.ok;
  if (error instanceof CommanderError || error instanceof InvalidArgumentError) {
    printFailure(
      new OperatorError(exitCode.usage, error.message.replace(/^error: /, ''), {
        hint: 'toolbus --help lists the commands',
      }),
      json,
    );
    return exitCode.usage;
  }
  printFailure(error, json);
  return error instanceof OperatorError ? error.code : exitCode.unexpected;
}
