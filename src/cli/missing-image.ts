// What to do where a registry answers that there is no such image. It has answered: to try again does not help.

import { RegistryError } from '../registry/errors.ts';

export const missingImageAdvice =
  'registries also say this to whom they do not let see the repository: then see your credentials (docker login, --docker-config)';

export function isMissingImage(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.code === 'ERR_REGISTRY_NOT_FOUND';
}
