import { openBuckets } from '../../shared/bus/buckets.ts';
import { type Caller, createCaller } from '../../shared/bus/caller.ts';
import { clusterSecret } from '../../shared/bus/cluster-secret.ts';
import { type BusAddress, connectBus } from '../../shared/bus/connect.ts';
import { flushed } from '../../shared/bus/flush.ts';
import { followRegistry, forgetServer } from '../../shared/bus/registry.ts';
import { createResourceInterest } from '../../shared/bus/resource-interest.ts';
import { createBusSessions } from '../../shared/bus/sessions.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import type { Config } from '../../shared/config/schema.ts';
import { createProcessId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import { createSealer, type Sealer } from '../../shared/seal.ts';
import { toolbusVersion } from '../../shared/version.ts';
import { createCatalog, type LiveCatalog } from './catalog/create.ts';
import { createDispatcher, type Dispatcher } from './dispatch/dispatcher.ts';
import type { ResourceWatch, SessionBus, SessionState } from './http/edge.ts';
import { createHandle } from './methods/index.ts';
import type { Handle } from './request.ts';

export interface CoreOptions {
  readonly bus: BusAddress;
  readonly tenant: string;
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
}

/** The ingress without its listeners: catalog, dispatch and methods on a bus. The CLI uses it as it stands. */
export interface Core {
  readonly id: string;
  readonly catalog: LiveCatalog;
  readonly caller: Caller;
  readonly dispatcher: Dispatcher;
  readonly sessions: SessionBus;
  readonly resources: ResourceWatch;
  readonly sealer: Sealer;
  readonly handle: Handle;
  /** Servers that a worker has announced, now or before. */
  announced(): Iterable<string>;
  /** True when all that was known on the bus at the start is in the catalog. */
  readonly caughtUp: boolean;
  /** Forgets what a server offered; its configuration is gone. */
  forget(server: string): Promise<void>;
  close(): Promise<void>;
}

/** Connects to the bus and resolves when the catalog knows what workers had announced. Throws OperatorError when NATS is unreachable. */
export async function openCore({ bus, tenant, log, config }: CoreOptions): Promise<Core> {
  const id = createProcessId();
  const subjects = subjectsOf(tenant);
  const [calls, control] = await Promise.all([
    connectBus({ ...bus, name: `toolbus ingress ${id} calls`, log }),
    connectBus({ ...bus, name: `toolbus ingress ${id} control`, log }),
  ]);
  const buckets = await openBuckets(control, tenant);
  const { secret, minted } = await clusterSecret(buckets, config().cluster.secret);
  if (minted) {
    log.info(
      'cluster.secret is not set: whoever can read the bucket "cluster" in NATS can forge sessions; set it where NATS is shared',
    );
  }
  const sealer = createSealer(secret);
  const catalog = createCatalog({ config, sealer, version: toolbusVersion() });
  const announced = new Set<string>();
  const registry = followRegistry(
    buckets,
    {
      onStatus: (status) => {
        announced.add(status.server);
        catalog.setInstance(status);
      },
      onGone: (server, instance) => catalog.removeInstance(server, instance),
      onManifest: (server, manifest) => {
        if (manifest === undefined) announced.delete(server);
        else announced.add(server);
        catalog.setManifest(server, manifest);
      },
    },
    log,
  );
  const caller = createCaller({ nc: calls, subjects, ingress: id, log });
  const dispatcher = createDispatcher({
    attempt: caller.attempt,
    onFree: caller.onFree,
    instances: (server) => catalog.instances(server),
    connected: () => caller.connected,
  });
  const sessions = createBusSessions<SessionState>({ nc: control, subjects, buckets, ingress: id, log });
  const resources = createResourceInterest({ nc: control, subjects, buckets, ingress: id, log });
  const handle = createHandle({ catalog, dispatch: dispatcher.dispatch, sealer, config });
  let caughtUp = false;
  await registry.caughtUp;
  caughtUp = true;
  return {
    id,
    catalog,
    caller,
    dispatcher,
    sessions,
    resources,
    sealer,
    handle,
    announced: () => announced,
    get caughtUp() {
      return caughtUp;
    },
    forget: (server) => forgetServer(buckets, server),
    async close() {
      caller.close();
      registry.close();
      sessions.close();
      resources.close();
      catalog.close();
      await Promise.all([flushed(calls), flushed(control)]);
      await Promise.all([calls.close(), control.close()]);
    },
  };
}
