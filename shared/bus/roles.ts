import { token } from './subjects.ts';

/**
 * What each kind of process may do on NATS. A worker reaches the subjects of its own server and no other; nobody may delete or purge the
 * audit. The embedded server is started with these lists, and docs/nats.md shows them for a server of one's own.
 */

/** Subjects that a NATS user may publish to and subscribe to. */
export interface Permissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  /** Whether it may answer a request at the requester's own inbox. */
  readonly mayRespond: boolean;
}

/** Streams that hold the audit; their names are spelled in audit-stream.ts, and a role must forbid both. */
export type AuditStreams = readonly string[];

/** Verbs of the JetStream API that would make a record disappear or change. */
const destructive = [
  'STREAM.DELETE',
  'STREAM.PURGE',
  'STREAM.MSG.DELETE',
  'STREAM.RESTORE',
  'STREAM.SNAPSHOT',
] as const;

/** Inboxes are as readable as any subject, so each role has its own. Given to `connectBus` as `inboxPrefix`. */
export function inboxOf(user: string): string {
  return `_INBOX.${token(user)}`;
}

/** An ingress, and the command line of the operator: everything but to take from the audit. */
export function ingressPermissions(auditStreams: AuditStreams): Permissions {
  return {
    publish: {
      allow: ['>'],
      deny: auditStreams.flatMap((stream) => destructive.map((verb) => `$JS.API.${verb}.${stream}`)),
    },
    subscribe: { allow: ['>'], deny: [] },
    mayRespond: true,
  };
}

/** The worker of one server. `bucketPrefix` is `bucketPrefixOf(tenant)`. */
export function workerPermissions(tenant: string, server: string, user: string, bucketPrefix: string): Permissions {
  const root = `tb.v1.${token(tenant)}`;
  const own = token(server);
  const stream = (bucket: string) => `KV_${bucketPrefix}_${bucket}`;
  const keys = (bucket: string) => `$KV.${bucketPrefix}_${bucket}.${own}.>`;
  const reads = (bucket: string) => [
    `$JS.API.STREAM.INFO.${stream(bucket)}`,
    // Whoever comes first makes it; one that is there is left alone.
    `$JS.API.STREAM.CREATE.${stream(bucket)}`,
    `$JS.API.DIRECT.GET.${stream(bucket)}.${keys(bucket)}`,
    // A consumer of the server's own keys, and of nothing else in the bucket.
    `$JS.API.CONSUMER.CREATE.${stream(bucket)}.*.${keys(bucket)}`,
    `$JS.API.CONSUMER.INFO.${stream(bucket)}.*`,
    `$JS.API.CONSUMER.DELETE.${stream(bucket)}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream(bucket)}.*`,
    `$JS.ACK.${stream(bucket)}.>`,
  ];
  return {
    publish: {
      allow: [
        `${root}.reply.>`,
        `${root}.evt.${own}.>`,
        keys('workers'),
        keys('catalog'),
        ...['workers', 'catalog', 'interest'].flatMap(reads),
        '$JS.API.INFO',
        '$JS.FC.>',
      ],
      deny: [],
    },
    subscribe: {
      allow: [
        `${root}.call.${own}.>`,
        `${root}.inst.${own}.>`,
        `${inboxOf(user)}.>`,
        '$SRV.PING',
        '$SRV.INFO',
        '$SRV.STATS',
        ...['PING', 'INFO', 'STATS'].flatMap((verb) => [
          `$SRV.${verb}.toolbus-${server}`,
          `$SRV.${verb}.toolbus-${server}.*`,
        ]),
      ],
      deny: [],
    },
    mayRespond: true,
  };
}
