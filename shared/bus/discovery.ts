import type { Msg, NatsConnection } from '@nats-io/transport-node';

/**
 * Answers the NATS service protocol (ADR-32), so that `nats service ls`, `info` and `stats` show our workers. Written here because the
 * published @nats-io/services brings a second, older client core.
 */
export interface ServiceFacts {
  /** `[A-Za-z0-9_-]+` */
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly { readonly name: string; readonly subject: string; readonly queueGroup: string }[];
}

export interface ServiceStats {
  readonly requests: number;
  readonly errors: number;
  /** Nanoseconds, as the protocol has it. */
  readonly processingTime: number;
  readonly lastError: string;
}

const types = {
  PING: 'io.nats.micro.v1.ping_response',
  INFO: 'io.nats.micro.v1.info_response',
  STATS: 'io.nats.micro.v1.stats_response',
} as const;

export function answerDiscovery(
  nc: NatsConnection,
  facts: () => ServiceFacts,
  stats: () => ServiceStats,
): { close(): void } {
  const started = new Date().toISOString();
  const { name, id } = facts();

  const answers = {
    PING: () => ({}),
    INFO: () => ({
      description: facts().description,
      endpoints: facts().endpoints.map((endpoint) => ({
        name: endpoint.name,
        subject: endpoint.subject,
        queue_group: endpoint.queueGroup,
        metadata: {},
      })),
    }),
    STATS: () => {
      const now = stats();
      return {
        started,
        endpoints: facts().endpoints.map((endpoint) => ({
          name: endpoint.name,
          subject: endpoint.subject,
          queue_group: endpoint.queueGroup,
          num_requests: now.requests,
          num_errors: now.errors,
          last_error: now.lastError,
          processing_time: now.processingTime,
          average_processing_time: now.requests === 0 ? 0 : Math.round(now.processingTime / now.requests),
        })),
      };
    },
  };

  const subscriptions = (['PING', 'INFO', 'STATS'] as const).flatMap((verb) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`].map((subject) =>
      nc.subscribe(subject, {
        callback: (error: Error | null, message: Msg) => {
          if (error !== null) return;
          const { version, metadata } = facts();
          message.respond(JSON.stringify({ type: types[verb], name, id, version, metadata, ...answers[verb]() }));
        },
      }),
    ),
  );
  return {
    close() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}
