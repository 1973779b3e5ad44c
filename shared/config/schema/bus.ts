import { z } from 'zod';
import { isNatsUrl } from '../network.ts';

export const natsUrl = z
  .string()
  .refine(isNatsUrl, 'must be a NATS address such as nats://host:4222, or several with commas');

export const nats = z
  .strictObject({
    url: natsUrl.optional().describe('NATS to join; without it `toolbus up` runs its own'),
    credentials: z.string().optional().describe('Path of a .creds file'),
    tenant: z.string().min(1).max(64).default('default').describe('Keeps several toolbuses on one NATS apart'),
  })
  .prefault({})
  .describe('The bus');
