// From any error to what the user sees and the code the process ends with. Commands throw; only main.ts prints.

import type { CertificateErrorCode } from '../admission/certificate/errors.ts';
import type { ClusterObjectErrorCode } from '../admission/cold-start/errors.ts';
import type { AdmissionErrorCode } from '../admission/errors.ts';
import type { WebhookServerErrorCode } from '../admission/server/errors.ts';
import type { AgentErrorCode } from '../agent/errors.ts';
import type { ControlPlaneErrorCode } from '../control-plane/errors.ts';
import type { IdentityErrorCode } from '../identity/errors.ts';
import type { PolicyErrorCode } from '../policy/errors.ts';
import type { RegistryErrorCode } from '../registry/errors.ts';
import type { SigningErrorCode } from '../signing/errors.ts';
import type { TelemetryErrorCode } from '../telemetry/errors.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import type { ToolErrorCode } from './tools/errors.ts';

export type CliErrorCode =
  | 'ERR_CHECK_FAILED'
  | 'ERR_USAGE'
  | 'ERR_UNAVAILABLE'
  /** The time that `--deadline` gives has passed. */
  | 'ERR_DEADLINE'
  /** Something that the answer depends on could not be asked. */
  | 'ERR_NOT_ASKED'
  | 'ERR_NODE_LACKS_ML_DSA'
  | 'ERR_CANNOT_CREATE'
  | 'ERR_NO_PERMISSION'
  | 'ERR_CONFIGURATION';

const exitCodeOfCliError: Readonly<Record<CliErrorCode, ExitCode>> = {
  ERR_CHECK_FAILED: exitCodes.failure,
  ERR_USAGE: exitCodes.usage,
  ERR_UNAVAILABLE: exitCodes.unavailable,
  ERR_DEADLINE: exitCodes.registry,
  ERR_NOT_ASKED: exitCodes.registry,
  ERR_NODE_LACKS_ML_DSA: exitCodes.unavailable,
  ERR_CANNOT_CREATE: exitCodes.cannotCreate,
  ERR_NO_PERMISSION: exitCodes.noPermission,
  ERR_CONFIGURATION: exitCodes.configuration,
};

/** An expected failure of a command: `message` says what is wrong, `hint` what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;
  readonly hint: string | undefined;

  constructor(code: CliErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** What the operating system refuses and a user can do something about. */
const exitCodeOfSystemError: Readonly<Record<string, ExitCode>> = {
  EACCES: exitCodes.noPermission,
  EPERM: exitCodes.noPermission,
  EROFS: exitCodes.cannotCreate,
  ENOSPC: exitCodes.cannotCreate,
  EDQUOT: exitCodes.cannotCreate,
  ENOENT: exitCodes.configuration,
  ENOTDIR: exitCodes.configuration,
  EISDIR: exitCodes.configuration,
  EEXIST: exitCodes.configuration,
  ELOOP: exitCodes.configuration,
  ENAMETOOLONG: exitCodes.configuration,
  EADDRINUSE: exitCodes.unavailable,
  EADDRNOTAVAIL: exitCodes.unavailable,
  ECONNREFUSED: exitCodes.unavailable,
  ETIMEDOUT: exitCodes.unavailable,
};

/** One table per folder, complete by its type: a new code of a folder does not compile until it has its exit code. */
const exitCodeOfTelemetryError: Readonly<Record<TelemetryErrorCode, ExitCode>> = {
  ERR_ADDRESS_IN_USE: exitCodes.unavailable,
  ERR_ADDRESS_UNAVAILABLE: exitCodes.unavailable,
  ERR_ADDRESS_FORBIDDEN: exitCodes.noPermission,
  ERR_LABEL_UNKNOWN: exitCodes.internal,
};

const exitCodeOfToolError: Readonly<Record<ToolErrorCode, ExitCode>> = {
  ERR_TOOL_MISSING: exitCodes.unavailable,
  ERR_TOOL_NOT_EXECUTABLE: exitCodes.unavailable,
  ERR_TOOL_TOO_OLD: exitCodes.unavailable,
  ERR_TOOL_UNKNOWN_VERSION: exitCodes.unavailable,
  ERR_TOOL_INSTALL: exitCodes.unavailable,
  ERR_PYTHON_MISSING: exitCodes.unavailable,
  ERR_PYTHON_VENV_MISSING: exitCodes.unavailable,
  ERR_CACHE_DIRECTORY: exitCodes.cannotCreate,
};

const exitCodeOfIdentityError: Readonly<Record<IdentityErrorCode, ExitCode>> = {
  ERR_NOT_PRIVATE: exitCodes.noPermission,
  ERR_WRONG_OWNER: exitCodes.noPermission,
  ERR_STORAGE_FULL: exitCodes.cannotCreate,
  ERR_CA_INCOMPLETE: exitCodes.configuration,
  ERR_CA_CORRUPT: exitCodes.configuration,
  ERR_TOKEN_KEYS_INCOMPLETE: exitCodes.configuration,
  ERR_TOKEN_KEYS_CORRUPT: exitCodes.configuration,
  ERR_TOKEN_KEYS_INVALID: exitCodes.configuration,
  ERR_TOKEN_AUDIENCE: exitCodes.usage,
  ERR_CA_TRUST_DOMAIN: exitCodes.configuration,
  ERR_CA_EXPIRED: exitCodes.configuration,
  ERR_CA_NOT_YET_VALID: exitCodes.configuration,
  ERR_SVID_ID_NOT_ALLOWED: exitCodes.failure,
  ERR_SVID_KEY_NOT_ALLOWED: exitCodes.failure,
  ERR_LIFETIME: exitCodes.usage,
  ERR_BUNDLE_INVALID: exitCodes.configuration,
  ERR_WORKLOAD_NAME: exitCodes.usage,
  ERR_JOIN_TOKEN_MALFORMED: exitCodes.failure,
  ERR_JOIN_TOKEN_UNKNOWN: exitCodes.failure,
  ERR_JOIN_TOKEN_USED: exitCodes.failure,
  ERR_JOIN_TOKEN_EXPIRED: exitCodes.failure,
  ERR_JOIN_TOKEN_LIMIT: exitCodes.cannotCreate,
  ERR_RECORD_CORRUPT: exitCodes.configuration,
};

const exitCodeOfControlPlaneError: Readonly<Record<ControlPlaneErrorCode, ExitCode>> = {
  ERR_LISTEN_ADDRESS_IN_USE: exitCodes.unavailable,
  ERR_LISTEN_ADDRESS_UNAVAILABLE: exitCodes.unavailable,
  ERR_LISTEN_ADDRESS_FORBIDDEN: exitCodes.noPermission,
};

const exitCodeOfAgentError: Readonly<Record<AgentErrorCode, ExitCode>> = {
  ERR_AGENT_JOIN_REFUSED: exitCodes.failure,
  ERR_AGENT_CONTROL_PLANE: exitCodes.unavailable,
  ERR_AGENT_CONTROL_PLANE_IDENTITY: exitCodes.failure,
  ERR_AGENT_ANSWER: exitCodes.unavailable,
  ERR_AGENT_SOCKET_PATH: exitCodes.configuration,
  ERR_AGENT_SOCKET_IN_USE: exitCodes.unavailable,
};

/** 3 says that nothing is known about the image, so that a job may try again; what the registry gave and is no good is a 1. */
const exitCodeOfRegistryError: Readonly<Record<RegistryErrorCode, ExitCode>> = {
  ERR_REFERENCE_INVALID: exitCodes.usage,
  ERR_DIGEST_INVALID: exitCodes.usage,
  ERR_JSON_INVALID: exitCodes.failure,
  ERR_MANIFEST_INVALID: exitCodes.failure,
  ERR_REGISTRY_NOT_FOUND: exitCodes.registry,
  ERR_REGISTRY_UNAUTHORIZED: exitCodes.registry,
  ERR_REGISTRY_DENIED: exitCodes.registry,
  ERR_REGISTRY_UNREACHABLE: exitCodes.registry,
  ERR_REGISTRY_TIMEOUT: exitCodes.registry,
  ERR_REGISTRY_RATE_LIMITED: exitCodes.registry,
  ERR_REGISTRY_PROTOCOL: exitCodes.registry,
  ERR_REGISTRY_DIGEST_MISMATCH: exitCodes.failure,
  ERR_REGISTRY_TOO_LARGE: exitCodes.failure,
  ERR_REGISTRY_REDIRECT: exitCodes.registry,
  ERR_REGISTRY_ADDRESS: exitCodes.registry,
  ERR_REGISTRY_PLAIN_HTTP: exitCodes.registry,
  ERR_REGISTRY_CERTIFICATE: exitCodes.registry,
  ERR_REGISTRY_CONFIGURATION: exitCodes.usage,
  ERR_REGISTRY_CONFLICT: exitCodes.registry,
};

const exitCodeOfSigningError: Readonly<Record<SigningErrorCode, ExitCode>> = {
  ERR_PUBLIC_KEY_INVALID: exitCodes.usage,
  ERR_KEY_FILE_INVALID: exitCodes.usage,
  ERR_KEY_FILE_PASSWORD: exitCodes.usage,
  ERR_KEY_FILE_NOT_PRIVATE: exitCodes.usage,
  ERR_KEY_FILE_EXISTS: exitCodes.usage,
  ERR_KMS_URI_INVALID: exitCodes.usage,
  ERR_KMS_KEY: exitCodes.usage,
  ERR_KMS_CREDENTIALS: exitCodes.usage,
  ERR_KMS_UNAVAILABLE: exitCodes.registry,
  ERR_JSON_INVALID: exitCodes.failure,
  ERR_BASE64_INVALID: exitCodes.failure,
  ERR_STATEMENT_INVALID: exitCodes.failure,
  ERR_BINDING_INVALID: exitCodes.failure,
  ERR_ENVELOPE_INVALID: exitCodes.failure,
  ERR_ENVELOPE_SIGNATURE_COUNT: exitCodes.failure,
  ERR_SIGSTORE_BUNDLE_INVALID: exitCodes.failure,
  ERR_BUNDLE_MEDIA_TYPE: exitCodes.failure,
  ERR_BUNDLE_NOT_DSSE: exitCodes.failure,
  ERR_BUNDLE_TOO_LARGE: exitCodes.failure,
  ERR_VERIFICATION_POLICY_INVALID: exitCodes.usage,
  ERR_TRUSTED_ROOT_INVALID: exitCodes.usage,
  ERR_IDENTITY_TOKEN: exitCodes.usage,
  ERR_SIGSTORE_URL_INVALID: exitCodes.usage,
  ERR_SIGSTORE_SERVICE: exitCodes.registry,
  ERR_SIGNATURE_INVALID: exitCodes.failure,
  ERR_TIMESTAMP_NOT_VERIFIED: exitCodes.failure,
  ERR_NOT_VERIFIED_AFTER_SIGNING: exitCodes.failure,
  ERR_VERIFICATION_DEADLINE: exitCodes.registry,
};

/** A condition that is no good: on the command line, or in a policy that a command was given. */
const exitCodeOfPolicyError: Readonly<Record<PolicyErrorCode, ExitCode>> = {
  ERR_CONDITION_SYNTAX: exitCodes.usage,
  ERR_CONDITION_NAME: exitCodes.usage,
  ERR_CONDITION_TYPE: exitCodes.usage,
  ERR_CONDITION_COST: exitCodes.usage,
};

/** Of manifests that a command was given. */
const exitCodeOfAdmissionError: Readonly<Record<AdmissionErrorCode, ExitCode>> = {
  ERR_REVIEW_INVALID: exitCodes.usage,
  ERR_KIND_NOT_JUDGED: exitCodes.usage,
  ERR_POD_INVALID: exitCodes.usage,
  ERR_POLICIES_UNKNOWN: exitCodes.unavailable,
};

const exitCodeOfClusterObjectError: Readonly<Record<ClusterObjectErrorCode, ExitCode>> = {
  ERR_OBJECT_INVALID: exitCodes.usage,
};

const exitCodeOfWebhookServerError: Readonly<Record<WebhookServerErrorCode, ExitCode>> = {
  ERR_WEBHOOK_ADDRESS_IN_USE: exitCodes.unavailable,
  ERR_WEBHOOK_ADDRESS_UNAVAILABLE: exitCodes.unavailable,
  ERR_WEBHOOK_ADDRESS_FORBIDDEN: exitCodes.noPermission,
  ERR_WEBHOOK_CERTIFICATE: exitCodes.configuration,
};

const exitCodeOfCertificateError: Readonly<Record<CertificateErrorCode, ExitCode>> = {
  ERR_SERVING_CERTIFICATE_FOREIGN: exitCodes.configuration,
  ERR_SERVING_CERTIFICATE_NO_SECRET: exitCodes.configuration,
  ERR_SERVING_CERTIFICATE_PROTOCOL: exitCodes.unavailable,
  ERR_SERVING_CERTIFICATE_FILES: exitCodes.configuration,
};

/**
 * By the class of the error, as its `name` says it: two folders may have a code of one name, and each means its own. Commands
 * handle those of the other folders where they arise.
 */
export const exitCodesByErrorClass: Readonly<Record<string, Readonly<Record<string, ExitCode>>>> = {
  TelemetryError: exitCodeOfTelemetryError,
  ToolError: exitCodeOfToolError,
  IdentityError: exitCodeOfIdentityError,
  ControlPlaneError: exitCodeOfControlPlaneError,
  AgentError: exitCodeOfAgentError,
  RegistryError: exitCodeOfRegistryError,
  SigningError: exitCodeOfSigningError,
  PolicyError: exitCodeOfPolicyError,
  AdmissionError: exitCodeOfAdmissionError,
  ClusterObjectError: exitCodeOfClusterObjectError,
  WebhookServerError: exitCodeOfWebhookServerError,
  CertificateError: exitCodeOfCertificateError,
};

/** What to print about an error, and the code to end with. */
export interface Failure {
  readonly exitCode: ExitCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** Undefined for what nobody expected. */
function expectedExitCode(error: Error): ExitCode | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const table = own(exitCodesByErrorClass, error.name) ?? exitCodeOfSystemError;
  return own(table, code);
}

/** Names and codes are whatever an error says they are: `toString` must not be found. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Never throws, whatever was thrown at us. Anything not known to be expected counts as a defect of ours. */
export function explainFailure(error: unknown): Failure {
  if (error instanceof CliError) {
    return { exitCode: exitCodeOfCliError[error.code], message: error.message, hint: error.hint };
  }
  if (error instanceof Error) {
    const exitCode = expectedExitCode(error);
    if (exitCode !== undefined) return { exitCode, message: error.message, hint: undefined };
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    exitCode: exitCodes.internal,
    message: `unexpected error: ${text.split('\n', 1)[0] ?? ''}`,
    hint: '--verbose shows the stack; please report it',
  };
}
