// For the commands: an attestation that is demanded on the command line is the one that a policy demands.

export { attestationRequirement } from '../../admission/images/attestation-requirement.ts';
