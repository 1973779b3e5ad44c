import { createHash, randomBytes } from 'node:crypto';

/** An agent for the config file that may call everything, and its key. */
export function agentWithKey(): { readonly key: string; readonly agent: { keys: string[]; allow: string[] } } {
  const key = `tb_test_${randomBytes(24).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  return { key, agent: { keys: [`sha256:${hash}`], allow: ['*'] } };
}
