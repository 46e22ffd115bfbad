// In place of webrtc-polyfill, whose binary would be built or downloaded: the tests speak TCP, UDP and HTTP.
export class RTCPeerConnection {
  constructor () {
    throw new Error('there is no WebRTC here')
  }
}
export class RTCSessionDescription {}
export class RTCIceCandidate {}
