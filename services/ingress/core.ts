import { createAffinityRecords } from '../../shared/bus/affinity-records.ts';
import { type BlockEvent, putBlock } from '../../shared/bus/blocks.ts';
import { openBuckets } from '../../shared/bus/buckets.ts';
import { type Caller, createCaller } from '../../shared/bus/caller.ts';
import { type BusAddress, connectBus } from '../../shared/bus/connect.ts';
import { flushed } from '../../shared/bus/flush.ts';
import { createInterest } from '../../shared/bus/interest.ts';
import { createLimitShares } from '../../shared/bus/limit-shares.ts';
import { type Pin, putPin } from '../../shared/bus/pins.ts';
import { forgetServer } from '../../shared/bus/published-manifests.ts';
import { createResourceEvents } from '../../shared/bus/resource-events.ts';
import { createResourceInterest } from '../../shared/bus/resource-interest.ts';
import { createBusSessions } from '../../shared/bus/sessions.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import { createTaskWatch, type TaskWatch } from '../../shared/bus/task-watch.ts';
import { followUnsignedCalls } from '../../shared/bus/unsigned-calls.ts';
import type { Config } from '../../shared/config/schema.ts';
import { createProcessId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import type { Sealer } from '../../shared/seal.ts';
import { type Audit, openAudit } from './audit/audit.ts';
import { shortVersion } from './audit/events.ts';
import type { Blocks } from './blocks/blocks.ts';
import type { LiveCatalog } from './catalog/create.ts';
import { followCatalog } from './catalog/follow-bus.ts';
import type { PinBoard } from './catalog/pins/pin-board.ts';
import { reviewDefinitions } from './catalog/review.ts';
import { openClusterSecrets } from './cluster-secrets.ts';
import { withAffinity } from './dispatch/affinity.ts';
import { createDispatcher, type Dispatcher } from './dispatch/dispatcher.ts';
import type { ResourceWatch, SessionBus, SessionState } from './http/edge.ts';
import { createLimits, type Limits } from './limits/limits.ts';
import { createHandle } from './methods/index.ts';
import type { Handle } from './request.ts';
import { withShadow } from './shadow/shadow.ts';
import { type Checks, createChecks } from './validation/checks.ts';

export interface CoreOptions {
  readonly bus: BusAddress;
  readonly tenant: string;
  readonly log: Logger;
  /** The configuration in force now. */
  config(): Config;
  /** Pins what it sees of tools for the first time, and compiles schemas ahead where that is configured. A command does neither. */
  readonly keepsPins?: boolean;
  /** Calls are recorded; what the stream does not take goes to this data directory. Absent: this process makes no calls. */
  readonly audit?: { readonly dataDir: string } | undefined;
}

/** The ingress without its listeners: catalog, dispatch and methods on a bus. The CLI uses it as it stands. */
export interface Core {
  readonly id: string;
  readonly catalog: LiveCatalog;
  readonly caller: Caller;
  readonly dispatcher: Dispatcher;
  readonly sessions: SessionBus;
  readonly resources: ResourceWatch;
  readonly tasks: TaskWatch;
  readonly sealer: Sealer;
  readonly limits: Limits;
  readonly handle: Handle;
  /** Absent where calls are not recorded, because none are made. */
  readonly audit: Audit | undefined;
  /** The kill switch as it stands, and its turns from now on. */
  readonly blocks: Blocks;
  readonly checks: Checks;
  readonly pins: PinBoard;
  /** Makes a definition the one that agents may rely on; resolves when NATS has stored it. */
  putPin(pin: Pin): Promise<void>;
  /** Turns the kill switch for all; resolves when NATS has stored it. */
  putBlock(event: BlockEvent): Promise<void>;
  /** With which the calls of a server are signed, for its workers: the current key first. */
  callKeysOf(server: string): readonly Buffer[];
  /** Servers that a worker has announced, now or before. */
  announced(): Iterable<string>;
  /** True when all that was known on the bus at the start is in the catalog. */
  readonly caughtUp: boolean;
  /** Forgets what a server offered; its configuration is gone. */
  forget(server: string): Promise<void>;
  close(): Promise<void>;
}

/** Connects to the bus and resolves when the catalog knows what workers had announced. Throws OperatorError when NATS is unreachable. */
export async function openCore({
  bus,
  tenant,
  log,
  config,
  audit: recorded,
  keepsPins = false,
}: CoreOptions): Promise<Core> {
  const id = createProcessId();
  const subjects = subjectsOf(tenant);
  const [calls, control] = await Promise.all([
    connectBus({ ...bus, name: `toolbus ingress ${id} calls`, log }),
    connectBus({ ...bus, name: `toolbus ingress ${id} control`, log }),
  ]);
  const buckets = await openBuckets(control, tenant);
  const secrets = await openClusterSecrets(buckets, config, log);
  const { sealer } = secrets;
  const followed = followCatalog({ buckets, sealer, log, config });
  const { catalog, blocks, pins } = followed;
  const checks = createChecks({
    log,
    config,
    onUnusable: ({ definition }, why) => definition !== undefined && catalog.condemn(definition, why),
  });
  const caller = createCaller({ nc: calls, subjects, ingress: id, log, callKeyOf: secrets.keyOf });
  const dispatcher = createDispatcher({
    attempt: caller.attempt,
    onFree: caller.onFree,
    decline: caller.decline,
    instances: (server) => catalog.instances(server),
    connected: () => caller.connected,
  });
  const sessions = createBusSessions<SessionState>({ nc: control, subjects, tenant, buckets, ingress: id, log });
  const interest = createInterest({ nc: control, subjects, buckets, ingress: id, log });
  const tasks = createTaskWatch({ nc: control, subjects, interest });
  const resourceEvents = createResourceEvents({ nc: control, subjects, tenant, log });
  const limits = createLimits({
    config,
    join: (listener) => createLimitShares({ nc: control, subjects, ingress: id, log }, listener),
  });
  const affinities = createAffinityRecords(buckets, log);
  const dispatch = withAffinity({
    dispatch: dispatcher.dispatch,
    records: affinities,
    instances: (server) => catalog.instances(server),
  });
  const audit =
    recorded &&
    (await openAudit({
      writer: id,
      bus,
      tenant,
      subjects,
      buckets,
      clusterSecret: secrets.secret,
      dataDir: recorded.dataDir,
      log,
      config,
      catalogVersion(server) {
        const manifest = catalog.manifest(server);
        return manifest && shortVersion(manifest.hash);
      },
    }));
  const answer = createHandle({
    checks,
    catalog,
    dispatch,
    follow: audit?.follow,
    abandon: caller.abandon,
    limits,
    sealer,
    config,
  });
  const handle = audit === undefined ? answer : withShadow(answer, { config, catalog, audit });
  const stopUnsigned = followUnsignedCalls(control, subjects, (calls) => {
    log.error({ alarm: 'unsigned_call', ...calls }, 'a worker refused calls that nobody had signed');
    audit?.event('unsigned_call', { ...calls });
  });
  let caughtUp = false;
  await Promise.all([
    audit?.opened,
    followed.caughtUp,
    sessions.caughtUp,
    resourceEvents.caughtUp,
    affinities.caughtUp,
  ]);
  caughtUp = true;
  if (keepsPins) reviewDefinitions({ buckets, catalog, pins, checks, log, config });
  return {
    id,
    catalog,
    caller,
    dispatcher,
    sessions,
    resources: { ...resourceEvents, watch: createResourceInterest(interest).watch },
    tasks,
    sealer,
    limits,
    handle,
    audit,
    blocks,
    checks,
    pins,
    async putPin(pin) {
      await putPin(buckets, pin);
      pins.set(pin);
    },
    putBlock: (event) => putBlock(buckets, event),
    callKeysOf: secrets.keysOf,
    announced: followed.announced,
    get caughtUp() {
      return caughtUp;
    },
    forget: (server) => forgetServer(buckets, server),
    async close() {
      caller.close();
      stopUnsigned();
      await audit?.close();
      limits.close();
      affinities.close();
      sessions.close();
      tasks.close();
      interest.close();
      resourceEvents.close();
      followed.close();
      secrets.close();
      await checks.close();
      await Promise.all([flushed(calls), flushed(control)]);
      await Promise.all([calls.close(), control.close()]);
    },
  };
}
