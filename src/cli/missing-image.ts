// What to do where a registry answers that there is no such image. It has answered: to try again does not help.

import { orIsHidden } from '../registry/errors.ts';

export const missingImageAdvice = `${orIsHidden}: then see your credentials (docker login, --docker-config)`;
