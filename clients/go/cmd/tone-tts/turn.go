package main

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const (
	msPerChar      = 30
	usualChunkMs   = 100
	shortestMs     = 10
	defaultLeadMs  = 5000
	maxStartOffset = 1 << 30
)

// turn is one turn: its text as it comes, and the sound made of it.
type turn struct {
	voice       *callVoice
	speaker     string // the name of the voice that speaks it
	id          int64
	startOffset int
	isWhole     bool // of the reading goroutine

	mutex     sync.Mutex
	text      []rune
	language  string    // BCP-47; empty: not said
	rates     []float32 // of each code point
	speakable int       // code points that may be spoken
	isDone    bool      // no more text comes
	changed   chan struct{}
	over      chan struct{} // closed when the turn has ended
	cancelled chan struct{}
	cancel    func() // closes cancelled; from any goroutine, more than once
	failure   *typev1.TurnEnd

	began      time.Time
	firstAudio time.Time
	sent       int // samples
}

func newTurn(voice *callVoice, id int64, startOffset int) *turn {
	cancelled := make(chan struct{})
	return &turn{
		voice: voice, language: voice.language(), id: id, startOffset: startOffset, began: time.Now(), changed: make(chan struct{}, 1),
		over: make(chan struct{}), cancelled: cancelled, cancel: sync.OnceFunc(func() { close(cancelled) }),
	}
}

// add takes a piece of text. A reason says why the turn fails.
func (t *turn) add(text *ttsv1.TurnText) (reason, field, message string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	pieces := []rune(text.GetText())
	switch {
	case len(pieces) == 0:
		return "EMPTY_TEXT", "text.text", "text.text is empty"
	case len(t.text)+len(pieces) > maxTextChars:
		return "TEXT_TOO_LONG", "text.text", "text.text: the turn is longer than engine.limits allows"
	case text.GetVoice() != "" && !slices.Contains(voices(), text.GetVoice()):
		return "UNKNOWN_VOICE", "text.voice", "text.voice is no voice of this engine; DescribeEngine lists them"
	case !isRate(text.GetRate()):
		return "RATE_OUT_OF_RANGE", "text.rate", "text.rate is not 0.5 to 2.0"
	case t.startOffset < 0 || t.startOffset > maxStartOffset:
		return "BAD_START_OFFSET", "text.start_offset", "text.start_offset lies outside of the text"
	}
	for _, one := range pieces {
		if unicode.IsControl(one) && !unicode.IsSpace(one) {
			return "CONTROL_CHARACTERS", "text.text", "text.text has control characters"
		}
	}
	rate := cmp.Or(text.GetRate(), t.voice.config.GetRate(), 1)
	t.speaker = cmp.Or(text.GetVoice(), t.voice.config.GetVoice(), toneVoice)
	t.language = cmp.Or(text.GetLanguageCode(), t.language)
	for _, one := range pieces {
		t.text = append(t.text, one)
		t.rates = append(t.rates, rate)
	}
	t.speakable = max(t.speakable, clauseEnd(t.text))
	if text.GetFlush() {
		t.speakable = len(t.text)
	}
	t.wake()
	return "", "", ""
}

// clauseEnd is the number of code points up to the last end of a clause.
func clauseEnd(text []rune) int {
	for at := len(text) - 1; at > 0; at-- {
		if unicode.IsSpace(text[at]) && unicode.IsPunct(text[at-1]) {
			return at
		}
	}
	return 0
}

// clauseAfter is where the clause that begins at an offset ends.
func clauseAfter(text []rune, from int) int {
	for at := from + 1; at < len(text); at++ {
		if unicode.IsSpace(text[at]) && unicode.IsPunct(text[at-1]) {
			return at
		}
	}
	return len(text)
}

// finishText says that no more text comes.
func (t *turn) finishText() {
	t.isWhole = true
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.isDone = true
	t.speakable = len(t.text)
	t.wake()
}

func (t *turn) fail(reason, field, message string) {
	t.mutex.Lock()
	t.failure = &typev1.TurnEnd{Reason: reason, Message: message, IsRetryable: reason == "ENGINE_FAILED"}
	t.mutex.Unlock()
	if t.voice.config.GetFailStreamOnTurnFailure() {
		select {
		case t.voice.failed <- refusal(codes.InvalidArgument, reason, field, message):
		default:
		}
	}
	t.cancel()
}

func (t *turn) isOver() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

func (t *turn) wake() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// speak speaks the turn to its end, which it sends, exactly one.
func (t *turn) speak() {
	defer close(t.over)
	spoken := 0
	for {
		t.mutex.Lock()
		text, rates, isDone := t.text[:t.speakable], t.rates[:t.speakable], t.isDone
		t.mutex.Unlock()
		if isDone && !hasWords(text) {
			t.fail("NOTHING_TO_SPEAK", "text.text", "text.text has no letter or digit in the whole turn; send words")
		}
		if t.isCancelled() {
			t.end()
			return
		}
		if spoken < len(text) && (hasWords(text) || isDone) {
			end := clauseAfter(text, spoken) // one by one: espeak-ng speaks two at once otherwise than each
			t.speakPart(text[:end], rates[:end], spoken)
			spoken = end
			continue
		}
		if isDone {
			t.end()
			return
		}
		select {
		case <-t.changed:
		case <-t.cancelled:
		case <-t.voice.wire.Context().Done():
			return
		}
	}
}

func (t *turn) isCancelled() bool {
	select {
	case <-t.cancelled:
		return true
	default:
		return false
	}
}

// speakPart speaks the code points behind the first `from`.
func (t *turn) speakPart(text []rune, rates []float32, from int) {
	hertz := int(t.voice.config.GetAudioFormat().GetSampleRateHertz())
	samples, timing, err := t.synthesize(text[from:], rates[from:], hertz)
	if err != nil && !t.isCancelled() {
		t.fail("ENGINE_FAILED", "", err.Error())
	}
	if err != nil {
		return
	}
	weight, began := 0.0, t.sent
	for _, rate := range rates[from:] {
		weight += 1 / float64(rate)
	}
	var marks []*ttsv1.SpokenText
	spoken := 0.0
	for at := from; at < len(text); at++ {
		spoken += 1 / float64(rates[at])
		part := began + int(math.Round(float64(len(samples))*spoken/weight))
		isWordEnd := !unicode.IsSpace(text[at]) && (at+1 == len(text) || unicode.IsSpace(text[at+1]))
		if isWordEnd {
			marks = append(marks, &ttsv1.SpokenText{
				TurnId: t.id, TextEndOffset: int64(t.startOffset + at + 1), EndSample: int64(part),
				Timing: timing,
			})
		}
	}
	longest := t.longestChunk() * hertz / 1000
	for len(samples) > 0 && !t.isCancelled() {
		size := len(samples)
		if size > 2*longest {
			size = longest
		} else if size > longest {
			size = (size + 1) / 2 // so that no chunk but the last of a turn is very short
		}
		if !t.waitForLead(t.sent+size, hertz) {
			return
		}
		var due []*ttsv1.SpokenText
		for len(marks) > 0 && marks[0].GetEndSample() <= int64(t.sent+size) {
			due, marks = append(due, marks[0]), marks[1:]
		}
		t.sendChunk(samples[:size], due)
		samples = samples[size:]
	}
}

func (t *turn) longestChunk() int {
	longest := usualChunkMs
	if t.voice.config.LongestChunkMs != nil {
		longest = int(t.voice.config.GetLongestChunkMs())
	}
	if lead := t.lead(); lead > 0 {
		longest = min(longest, lead/2)
	}
	return max(longest, shortestMs)
}

func (t *turn) lead() int {
	if t.voice.config.MaxLeadMs == nil {
		return defaultLeadMs
	}
	return int(t.voice.config.GetMaxLeadMs())
}

// waitForLead waits until so many samples run no further ahead of real time than
// asked. False: the turn was cancelled meanwhile.
func (t *turn) waitForLead(samples, hertz int) bool {
	lead := t.lead()
	if lead == 0 || t.firstAudio.IsZero() {
		return true
	}
	ahead := time.Duration(samples)*time.Second/time.Duration(hertz) - time.Duration(lead)*time.Millisecond
	timer := time.NewTimer(time.Until(t.firstAudio.Add(ahead)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.cancelled:
		return false
	case <-t.voice.wire.Context().Done():
		t.cancel()
		return false
	}
}

func (t *turn) sendChunk(samples []int16, marks []*ttsv1.SpokenText) {
	audio := &ttsv1.TurnAudio{TurnId: t.id, Chunk: &typev1.AudioChunk{
		StartSample: int64(t.sent), Content: encode(t.voice.config.GetAudioFormat(), samples),
	}}
	for _, mark := range marks {
		if t.voice.config.GetMarksInAudio() {
			mark.TurnId = 0
			audio.Marks = append(audio.Marks, mark)
			continue
		}
		t.voice.send(&ttsv1.StreamingSynthesizeResponse{
			Response: &ttsv1.StreamingSynthesizeResponse_SpokenText{SpokenText: mark},
		})
	}
	if t.firstAudio.IsZero() {
		t.firstAudio = time.Now()
		audio.Timing = t.timing()
	}
	t.sent += len(samples)
	t.voice.send(&ttsv1.StreamingSynthesizeResponse{Response: &ttsv1.StreamingSynthesizeResponse_Audio{Audio: audio}})
}

func (t *turn) timing() *typev1.Timing {
	return &typev1.Timing{SinceTriggerUs: max(1, time.Since(t.began).Microseconds())}
}

func (t *turn) end() {
	t.mutex.Lock()
	end := t.failure
	t.mutex.Unlock()
	switch {
	case end != nil:
		end.Outcome = typev1.TurnEnd_OUTCOME_FAILED
	case t.isCancelled():
		end = &typev1.TurnEnd{Outcome: typev1.TurnEnd_OUTCOME_CANCELLED}
	default:
		end = &typev1.TurnEnd{Outcome: typev1.TurnEnd_OUTCOME_COMPLETED}
	}
	end.TurnId, end.Timing = t.id, t.timing()
	t.voice.send(&ttsv1.StreamingSynthesizeResponse{Response: &ttsv1.StreamingSynthesizeResponse_TurnEnd{TurnEnd: end}})
}

func hasWords(text []rune) bool {
	for _, one := range text {
		if unicode.IsLetter(one) || unicode.IsDigit(one) {
			return true
		}
	}
	return false
}
