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
command('call', 'call one tool', tools)
  .argument('<tool>', 'name as agents see it: server__tool')
  .argument('[arguments...]', 'a JSON object, or key=value pairs')
  .action(async (tool: string, words: string[], flags: CommonFlags) =>
    done((await import('./commands/tools.ts')).runToolsCall(tool, words, flags)),
  );

const keys = program.command('keys').description('make API keys');
command('new', 'make a key for an agent: the key once, and its hash for the configuration', keys)
  .argument('<agent>', 'name of the agent')
  .action(async (agent: string, flags: CommonFlags) =>
    done((await import('./commands/keys.ts')).runKeysNew(agent, flags.json === true, process.stdout)),
  );
command('hash', 'read a key from stdin and print its hash', keys).action(async (flags: CommonFlags) =>
  done((await import('./commands/keys.ts')).runKeysHash(process.stdin, flags.json === true, process.stdout)),
);

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
