package main

import (
	"sync"
	"testing"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
)

func TestATurnIsCancelledFromSeveralGoroutinesAtOnce(t *testing.T) {
	for range 2000 {
		one := newTurn(&callVoice{config: &ttsv1.SynthesisConfig{}}, 1, 0)
		var cancelling sync.WaitGroup
		for range 4 {
			cancelling.Go(func() { one.cancel() })
		}
		cancelling.Wait()
		if !one.isCancelled() {
			t.Fatal("it was not cancelled")
		}
	}
}
