/** Of the names of our webhooks in their configurations: others in the same configuration are somebody else's. */
export const webhookNameSuffix = '.trellis.quantum.io';
