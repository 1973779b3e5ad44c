import { z } from 'zod';
import { isNatsUrl } from '../network.ts';

export const natsUrl = z
  .string()
  .refine(isNatsUrl, 'must be a NATS address such as nats://host:4222, or several with commas');

export const nats = z
  .strictObject({
    url: natsUrl.optional().describe('NATS to join; without it `toolbus up` runs its own'),
    credentials: z.string().optional().describe('Path of a .creds file'),
    inboxPrefix: z
      .string()
      .regex(/^_INBOX(\.[A-Za-z0-9_=-]{1,128}){0,3}$/, 'begins with _INBOX, such as _INBOX.ingress')
      .optional()
      .describe('Subject prefix of answers, where the permissions of the NATS user ask for one'),
    tls: z
      .strictObject({
        ca: z.string().min(1).optional().describe('PEM file of the authority that signed the certificate of NATS'),
        cert: z.string().min(1).optional().describe('PEM file of the own certificate, where NATS asks for one'),
        key: z.string().min(1).optional().describe('PEM file of its private key'),
      })
      .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key belong together')
      .optional()
      .describe(
        'TLS towards NATS; with tls:// in the url and none of these files, the authorities of the system are trusted',
      ),
    tenant: z.string().min(1).max(64).default('default').describe('Keeps several toolbuses on one NATS apart'),
  })
  .prefault({})
  .describe('The bus');
