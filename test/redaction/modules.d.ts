// The package brings no types.
declare module 'libqp' {
  const libqp: { encode(bytes: Uint8Array): string }
  export default libqp
}
