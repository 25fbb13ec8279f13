import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { clockSynchronised } from '../../native/clock-sync.ts'

describe('native: the kernel of its clock', () => {
  it('says whether it is kept right, as others read it', function () {
    const told = clockSynchronised()
    assert.equal(typeof told, 'boolean')
    // What adjtimex(8) and timedatectl show is the same bit; Python's ctypes is on more machines.
    const program =
      'import ctypes; b = (ctypes.c_char * 512)(); l = ctypes.CDLL(None); s = l.adjtimex(b); ' +
      'print(ctypes.c_int.from_buffer(b, 5 * ctypes.sizeof(ctypes.c_long)).value & 0x40, s)'
    const { status, stdout } = spawnSync('python3', ['-c', program], { encoding: 'utf8' })
    if (status !== 0 && process.env.CI !== 'true') this.skip()
    assert.equal(status, 0, 'python3 can not ask adjtimex')
    assert.equal(told, stdout.startsWith('0 '), stdout)
  })
})
