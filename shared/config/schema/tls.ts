import { z } from 'zod';

const path = z.string().min(1);

export const tls = z
  .strictObject({
    cert: path.describe('PEM file with the certificate and its chain; relative to this file'),
    key: path.describe('PEM file with its private key'),
  })
  .optional()
  .describe('HTTPS on the public listener; the files are read again when they change');
