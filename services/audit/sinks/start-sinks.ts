import { decodePack } from '../../../shared/audit/pack.ts';
import { consumeDurably } from '../../../shared/bus/audit-consumer.ts';
import { auditStreamNames } from '../../../shared/bus/audit-stream.ts';
import { type BusAddress, connectBus } from '../../../shared/bus/connect.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import { createFileSink } from './file-sink.ts';
import { createOtlpSink } from './otlp-sink.ts';
import type { Sink } from './sink.ts';

export interface SinksOptions {
  readonly bus: BusAddress;
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
}

/** The sinks of one process. With several processes each record goes through one of them. */
export interface Sinks {
  /** Another configuration is in force: sinks that are new, gone or changed follow it. */
  reload(config: Config): Promise<void>;
  close(): Promise<void>;
}

/** Ships the audit stream to the sinks of the configuration; without any, nothing is opened. Throws OperatorError when NATS is unreachable. */
export async function startSinks(options: SinksOptions): Promise<Sinks> {
  let stop = await start(options);
  let current = JSON.stringify(options.config.audit.sinks);
  return {
    async reload(config) {
      const wanted = JSON.stringify(config.audit.sinks);
      if (wanted === current) return;
      current = wanted;
      await stop();
      stop = await start({ ...options, config });
    },
    close: () => stop(),
  };
}

async function start({ bus, config, version, log }: SinksOptions): Promise<() => Promise<void>> {
  const sinks = sinksOf(config, version);
  if (sinks.length === 0) return async () => undefined;
  const nc = await connectBus({ ...bus, name: 'toolbus audit sinks', log });
  const stopping = new AbortController();
  const { records } = auditStreamNames(config.nats.tenant);
  const running = sinks.map(async (sink) => {
    let failing = false;
    await consumeDurably({
      nc,
      stream: records,
      name: `toolbus_${sink.name}`,
      signal: stopping.signal,
      async take(messages) {
        await sink.write(messages.flatMap((data) => decodePack(data)?.lines ?? []));
        failing = false;
      },
      onFailure(error) {
        if (!failing) log.error({ err: error, sink: sink.name }, 'the audit cannot be sent to a sink; trying again');
        failing = true;
      },
    });
    await sink.close();
  });
  return async () => {
    stopping.abort();
    // A fetch that waits for messages ends with its connection.
    await nc.close();
    await Promise.all(running);
  };
}

function sinksOf({ audit, nats }: Config, version: string): Sink[] {
  const { file, otlp } = audit.sinks;
  return [
    ...(file === undefined ? [] : [createFileSink(file)]),
    ...(otlp === undefined ? [] : [createOtlpSink({ ...otlp, tenant: nats.tenant, version })]),
  ];
}
