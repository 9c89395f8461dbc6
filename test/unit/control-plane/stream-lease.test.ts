import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StreamLease } from '../../../src/control-plane/stream-lease.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { agentId, FakeMesh, name, pod } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const hour = 3_600_000;

/** A lease, what became of it, and how often the stream was told of a change. */
async function leased(lifeMs = hour) {
  const mesh = new FakeMesh();
  const notAfter = new Date(Date.now() + lifeMs);
  const peerOf = () => {
    if (Date.now() > notAfter.getTime()) throw new GrpcError(status.unauthenticated, 'expired');
    return { agentId, notAfter };
  };
  const options = { agentId, name, peerOf, now: () => new Date(), state: mesh.state } as const;
  const { workloadOf, bindToPod } = mesh;
  const lease = await StreamLease.take({ ...options, workloadOf, bindToPod });
  let end: unknown;
  lease.ended.catch((error: unknown) => {
    end = error;
  });
  let told = 0;
  lease.guard(mesh).onChange(() => told++);
  return { mesh, lease, end: () => end, told: () => told };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe('the right of a stream to go on', () => {
  test('lasts while nothing it rests on changes', async () => {
    const { mesh, end, told } = await leased();
    await vi.advanceTimersByTimeAsync(hour / 2);
    mesh.change(pod({ labels: { version: '2' } }));
    await settle();
    expect(end()).toBeUndefined();
    expect(told()).toBe(1);
  });

  test("ends with the agent's certificate", async () => {
    const { end } = await leased(10_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(end()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10);
    expect(end()).toMatchObject({ code: status.unauthenticated });
  });

  test('ends soon after the agent was forgotten', async () => {
    const { mesh, end } = await leased();
    mesh.admitted = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(end()).toMatchObject({ code: status.permissionDenied });
  });

  test.each([
    ['another of its name', { uid: 'u-2' }],
    ['one with another service account', { serviceAccount: 'x' }],
  ])('ends when the pod is replaced by %s, before the change reaches the stream', async (_what, change) => {
    const { mesh, end, told } = await leased();
    mesh.change(pod(change));
    await settle();
    expect(end()).toMatchObject({ code: status.permissionDenied });
    expect(told()).toBe(0);
    // Nor does it come back.
    mesh.change(pod());
    expect(told()).toBe(0);
  });

  test.each([
    ['is gone', []],
    ['has left the mesh', [pod({ meshed: false })]],
  ])('ends soon after the pod %s, once its proxy was told', async (_what, workloads) => {
    const { mesh, end, told } = await leased();
    mesh.change(...workloads);
    expect(told()).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(end()).toMatchObject({ code: status.failedPrecondition });
  });

  test('is not given to an agent of an earlier pod', async () => {
    const { mesh } = await leased();
    mesh.change(pod({ uid: 'u-2' }));
    const peerOf = () => ({ agentId, notAfter: new Date(Date.now() + hour) });
    const { state, workloadOf, bindToPod } = mesh;
    const options = { agentId, name, peerOf, now: () => new Date(), state, workloadOf, bindToPod } as const;
    await expect(StreamLease.take(options)).rejects.toMatchObject({
      code: status.permissionDenied,
      message: expect.stringContaining('trellis token create'),
    });
  });

  test('is not looked after when the stream is over', async () => {
    const { mesh, lease, end } = await leased(10_000);
    lease.release();
    mesh.change();
    await vi.advanceTimersByTimeAsync(hour);
    expect(end()).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});
