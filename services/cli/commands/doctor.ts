import { relative } from 'node:path';
import { type LoadedConfig, loadConfig } from '../../../shared/config/load.ts';
import { nearest, showName } from '../../../shared/config/problems.ts';
import { resolveRuntime } from '../../../shared/config/runtime.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { createLogger } from '../../../shared/log.ts';
import { type Core, openCore } from '../../ingress/core.ts';
import { examineAuth } from '../doctor/auth.ts';
import { examineServer } from '../doctor/server.ts';
import { failedStep, type Report, type Step } from '../doctor/step.ts';
import type { CommonFlags } from '../flags.ts';
import { printable } from '../output/printable.ts';
import { findBus, runningMcp, showNats } from '../running.ts';

export interface DoctorFlags extends CommonFlags {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * `toolbus doctor [SERVER]`: walks the way of a call and stops at what is broken: a broken step before the servers ends the walk, a broken
 * server ends its own. Resolves with the exit code of the first broken step.
 */
export async function runDoctor(server: string | undefined, flags: DoctorFlags): Promise<number> {
  const json = flags.json === true;
  const steps: Step[] = [];
  const report: Report = (step) => {
    steps.push(step);
    if (!json) process.stdout.write(line(step));
  };
  await walk(server, flags, report);
  const broken = steps.find(({ status }) => status === 'failed');
  if (json) {
    const shown = steps.map(({ code: _, ...step }) => step);
    process.stdout.write(
      `${JSON.stringify({ steps: shown, broken: broken && { step: broken.step, server: broken.server } })}\n`,
    );
  } else if (broken === undefined) process.stdout.write('\nnothing is broken\n');
  else
    process.stdout.write(
      `\nbroken: ${broken.step}${broken.server === undefined ? '' : ` of ${showName(broken.server)}`}\n`,
    );
  return broken === undefined ? exitCode.ok : (broken.code ?? exitCode.unexpected);
}

async function walk(server: string | undefined, flags: DoctorFlags, report: Report): Promise<void> {
  let loaded: LoadedConfig;
  try {
    loaded = await examineConfig(server, flags, report);
  } catch (error) {
    return report(failedStep('config', error));
  }
  let core: Core;
  try {
    core = await joinBus(loaded, flags, report);
  } catch (error) {
    return report(failedStep('nats', error));
  }
  let healthy = true;
  try {
    const { servers } = loaded.config;
    const names = server === undefined ? [...new Set([...Object.keys(servers), ...core.announced()])].sort() : [server];
    for (const name of names) {
      const config = Object.hasOwn(servers, name) ? servers[name] : undefined;
      for await (const step of examineServer(name, config, core)) {
        report(step);
        healthy &&= step.status !== 'failed';
      }
    }
  } finally {
    await core.close();
  }
  // The walk of one server ends where it is broken; with several, the door is the same for all.
  if (server !== undefined && !healthy) return;
  const key = flags.key ?? (process.env['TOOLBUS_API_KEY'] || undefined);
  report(await examineAuth({ url: flags.url ?? (await runningMcp(flags, process.env)), key, server }));
}

async function examineConfig(server: string | undefined, flags: DoctorFlags, report: Report): Promise<LoadedConfig> {
  const runtime = resolveRuntime(flags, process.env);
  const { env } = process;
  const loaded = await loadConfig({
    env,
    cwd: process.cwd(),
    forUp: true,
    file: flags.config,
    dataDir: runtime.dataDir,
  });
  const names = Object.keys(loaded.config.servers);
  if (server !== undefined && names.length > 0 && !names.includes(server)) {
    const near = nearest(server, names);
    throw new OperatorError(exitCode.usage, `the configuration has no server ${JSON.stringify(showName(server))}`, {
      hint: near === undefined ? `it has: ${names.join(', ')}` : `did you mean ${near}?`,
    });
  }
  const where = loaded.bundled ? 'the bundled example' : relative('', loaded.file) || loaded.file;
  const detail = [`${where}, ${names.length} ${names.length === 1 ? 'server' : 'servers'}`, ...loaded.warnings].join(
    '; ',
  );
  report({ step: 'config', status: 'ok', detail });
  return loaded;
}

async function joinBus(loaded: LoadedConfig, flags: DoctorFlags, report: Report): Promise<Core> {
  const runtime = resolveRuntime(flags, process.env);
  const bus = await findBus(runtime, loaded.config);
  const log = createLogger(flags.logLevel === undefined ? 'silent' : runtime.logLevel, 'doctor');
  const core = await openCore({ bus, tenant: loaded.config.nats.tenant, log, config: () => loaded.config }).catch(
    (error: unknown) => {
      if (error instanceof OperatorError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new OperatorError(exitCode.unreachable, `NATS answers, but its JetStream does not: ${why}`, {
        hint: 'is JetStream on, and may this user use it? docs/subjects.md names the buckets',
        cause: error,
      });
    },
  );
  report({ step: 'nats', status: 'ok', detail: showNats(bus.url) });
  return core;
}

function line({ step, server, status, detail, hint }: Step): string {
  const sign = status === 'failed' ? 'FAILED' : status;
  const what = printable(server === undefined ? step : `${step} ${server}`);
  const first = `${sign.padEnd(8)} ${what.padEnd(24)} ${printable(detail)}\n`;
  return hint === undefined ? first : `${first}${' '.repeat(34)}hint: ${printable(hint)}\n`;
}
