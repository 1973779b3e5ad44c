import { z } from 'zod';
import { access } from './schema/access.ts';
import { agentSchema } from './schema/agents.ts';
import { audit } from './schema/audit.ts';
import { auth } from './schema/auth.ts';
import { nats } from './schema/bus.ts';
import { cluster } from './schema/cluster.ts';
import { pattern, serverName } from './schema/fields.ts';
import { limits } from './schema/limits.ts';
import { security } from './schema/security.ts';
import { serverSchema } from './schema/servers.ts';
import { tls } from './schema/tls.ts';

export { natsUrl } from './schema/bus.ts';
export { rate, serverName } from './schema/fields.ts';
export { serverSchema } from './schema/servers.ts';

/**
 * The configuration file. Each section has a file of its own in schema/, the only place where its fields are declared. Its types, its
 * validation and the shipped JSON Schema come from here. Contract: CONTRACT §4.
 */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors'),
    servers: z
      .record(serverName, serverSchema)
      .default({})
      .describe(
        "MCP servers by name. A tool is offered as name__tool. `mcpServers`, as in the clients' files, means the same",
      ),
    toolsets: z
      .record(serverName, z.strictObject({ tools: z.array(pattern).describe('Patterns of tools: server__tool') }))
      .default({})
      .describe('Named sets of tools, for `allow` of agents and as /mcp/NAME'),
    agents: z.record(z.string().min(1).max(128), agentSchema).default({}).describe('Who may use what'),
    auth,
    access,
    tls,
    limits,
    audit,
    nats,
    cluster,
    security,
  })
  .superRefine(({ servers }, context) => {
    for (const [name, { shadow }] of Object.entries(servers)) {
      if (shadow !== undefined && (!Object.hasOwn(servers, shadow.to) || shadow.to === name)) {
        context.addIssue({
          code: 'custom',
          path: ['servers', name, 'shadow', 'to'],
          message: 'must be the name of another server',
        });
      }
    }
  });

export type ServerConfig = z.infer<typeof serverSchema>;
export type AgentConfig = z.infer<typeof agentSchema>;
export type Config = z.infer<typeof configSchema>;

/** Tokens per second of a rate that the schema has accepted. */
export function tokensPerSecond(text: string): number {
  const [amount = '0', unit = 's'] = text.split('/');
  return Number(amount) / (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
}
