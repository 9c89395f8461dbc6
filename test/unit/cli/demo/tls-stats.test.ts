import { expect, test } from 'vitest';
import { parseStats } from '../../../../src/cli/demo/envoy-admin.ts';
import { countTls, describeCounts } from '../../../../src/cli/demo/tls-stats.ts';

const cluster = 'cluster.outbound|8001|ai-engine.quantum-trader.svc.cluster.local';

test('adds up listeners or clusters, and leaves out what was never counted', () => {
  const stats = parseStats(
    JSON.stringify({
      stats: [
        { name: 'listener.inbound.ssl.handshake', value: 3 },
        { name: 'listener.inbound.ssl.curves.X25519MLKEM768', value: 3 },
        { name: 'listener.inbound.ssl.sigalgs.mldsa65', value: 3 },
        { name: 'listener.inbound.ssl.versions.TLSv1.3', value: 3 },
        { name: `${cluster}.ssl.handshake`, value: 2 },
        { name: `${cluster}.ssl.curves.X25519MLKEM768`, value: 1 },
        { name: `${cluster}.ssl.curves.X25519`, value: 1 },
        { name: `${cluster}.ssl.curves.P-256`, value: 0 },
        { name: `${cluster}.ssl.session_reused`, value: 1 },
        { histograms: {} },
        { name: 'version', value: 'text' },
      ],
    }),
  );
  const accepted = countTls(stats, 'listener');
  expect(accepted.handshakes).toBe(3);
  expect(accepted.resumed).toBe(0);
  expect(Object.fromEntries(accepted.groups)).toEqual({ X25519MLKEM768: 3 });
  expect(Object.fromEntries(accepted.signatures)).toEqual({ mldsa65: 3 });
  expect(Object.fromEntries(accepted.versions)).toEqual({ 'TLSv1.3': 3 });
  const opened = countTls(stats, 'cluster');
  expect(opened.handshakes).toBe(2);
  expect(opened.resumed).toBe(1);
  expect(describeCounts(opened.groups)).toBe('X25519MLKEM768 ×1, X25519 ×1');
  expect(describeCounts(new Map())).toBe('none');
});
