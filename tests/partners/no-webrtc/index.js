// Imported by name in a module that nothing here uses.
export class RTCPeerConnection {
  constructor () {
    throw new Error('there is no WebRTC here')
  }
}
export class RTCSessionDescription {}
export class RTCIceCandidate {}
