// Package tongdai is the client of the four services of Tổng Đài: a call
// through the gateway, speech, recognition and a conversation with the agent.
//
// A Connection holds the replicas of one service; OpenCall, OpenSpeech,
// OpenRecognition and OpenConversation open a stream on the first one that
// serves. Every error of a stream is an *Error. The rules of the streams are in
// protos/README.md, the flags of the programs in docs/CLIENTS.md.
package tongdai
