import { logLevels } from '../../../../shared/mcp/call.ts';
import { type RpcError, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import type { EdgeDeps } from '../edge.ts';
import { type Answer, errorAnswer, resultAnswer } from './answer.ts';
import type { IncomingRequest } from './incoming.ts';
import type { RequestScene } from './requests.ts';

const maxUriLength = 2048;

/** Answers the methods that concern the session and no server; undefined for all others. */
export function answerLocally(
  request: IncomingRequest,
  scene: RequestScene,
  deps: EdgeDeps,
): Promise<Answer> | Answer | undefined {
  const { id, method } = request;
  switch (method) {
    case 'ping':
      return resultAnswer(id, '{}');
    case 'logging/setLevel':
      return setLogLevel(request, scene);
    case 'resources/subscribe':
      return subscribe(request, scene, deps);
    case 'resources/unsubscribe':
      return unsubscribe(request, scene);
    case 'initialize':
      return errorAnswer(id, { code: rpcCode.invalidRequest, message: 'Invalid request: the session is initialized' });
    // Modern methods, which the rest of the ingress would answer whoever asks.
    case 'server/discover':
    case 'subscriptions/listen':
      return errorAnswer(id, { code: rpcCode.methodNotFound, message: 'Method not found' });
    default:
      return undefined;
  }
}

async function setLogLevel({ id, params }: IncomingRequest, scene: RequestScene): Promise<Answer> {
  const level = logLevels.find((known) => known === params['level']);
  if (level === undefined) return invalidParams(id, `level must be one of ${logLevels.join(', ')}`);
  await scene.memory.setLogLevel(level);
  return resultAnswer(id, '{}');
}

async function subscribe({ id, params }: IncomingRequest, scene: RequestScene, deps: EdgeDeps): Promise<Answer> {
  const { uri } = params;
  if (typeof uri !== 'string' || uri.length > maxUriLength) return invalidParams(id, 'uri must be a string');
  const { endpoint, principal } = scene.session;
  const target = deps.catalog.view(endpoint, principal)?.resource(uri);
  if (target === undefined) {
    return errorAnswer(id, { code: rpcCode.legacyResourceNotFound, message: 'Resource not found', data: { uri } });
  }
  if (!(await scene.memory.subscribe(uri))) return invalidParams(id, 'the session holds too many subscriptions');
  // A change that comes right after this answer must be told, wherever the stream is held.
  const watch = deps.resources.watch(target.server, target.target);
  await watch.active;
  watch.release();
  return resultAnswer(id, '{}');
}

async function unsubscribe({ id, params }: IncomingRequest, scene: RequestScene): Promise<Answer> {
  const { uri } = params;
  if (typeof uri !== 'string') return invalidParams(id, 'uri must be a string');
  await scene.memory.unsubscribe(uri);
  return resultAnswer(id, '{}');
}

function invalidParams(id: IncomingRequest['id'], why: string): Answer {
  const error: RpcError = { code: rpcCode.invalidParams, message: `Invalid params: ${why}` };
  return errorAnswer(id, error);
}
