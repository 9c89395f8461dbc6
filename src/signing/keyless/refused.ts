/** Why a certificate, a log entry or a time-stamp does not count. The message is the reason a verdict gives. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
