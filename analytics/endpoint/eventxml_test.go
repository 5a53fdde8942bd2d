package endpoint_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
)

func readXML(text string) (string, error) {
	var b strings.Builder
	err := endpoint.EventXML(text, func(element, key, value string) {
		if element != "" {
			b.WriteString(element + "_")
		}
		b.WriteString(key + "=" + value + "|")
	})
	return b.String(), err
}

func TestEventXML(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{
			"event", `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='P' Guid="{1}"/>` +
				`<EventID Qualifiers='0'>4</EventID><Correlation/><Channel>C</Channel></System>` + "\r\n" +
				`<EventData><Data Name='A'>x y</Data><Data Name="B"></Data><Data Name='C'/><Data>one</Data><Data>two</Data><Data/><Binary>00</Binary></EventData></Event>` + "\n",
			"Provider_Name=P|Provider_Guid={1}|EventID_Qualifiers=0|EventID=4|Channel=C|A=x y|B=|C=|Data=one|Data=two|Data=|Binary=00|",
		},
		{"entities", `<E><Data Name='a&amp;b'>&lt;&gt;&quot;&apos;&#10;&#x41;&amp;amp; &nbsp; & &#xFFFFFFF; &#;</Data></E>`, "a&b=<>\"'\nA&amp; &nbsp; & &#xFFFFFFF; &#;|"},
		{"cdata", `<E><Data Name='a'>1<![CDATA[<Data Name='b'>&lt;]]>2<!-- </Data> -->3</Data></E>`, "a=1<Data Name='b'>&lt;23|"},
		{"user data", `<Event><UserData><X xmlns:n='u'><Address>1.2.3.4</Address></X></UserData></Event>`, "Address=1.2.3.4|"},
		{"data item", `<DataItem type="System.XmlData"><EventData><Data Name="Image">i</Data></EventData></DataItem>`, "DataItem_type=System.XmlData|Image=i|"},
		{"mark inside", `<E a='<lt; b' c="&lt;"/>`, "E_a=<lt; b|E_c=<|"},
		{"head", "\uFEFF<?xml version=\"1.0\"?><!-- c --><E><F>1</F></E>", "F=1|"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readXML(tt.text)
			if err != nil || got != tt.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
			}
		})
	}
}

func TestEventXMLRefuses(t *testing.T) {
	for _, text := range []string{
		"", "x", "<", "<>", "<E", "<E>", "<E></F>", "<E/><E/>", "<E/>x", "</E>", "<E a></E>", "<E a=></E>", "<E a='></E>", "<E><!-- </E>",
		"<!DOCTYPE e [<!ENTITY a 'b'>]><E>&a;</E>", "<E><![CDATA[</E>",
	} {
		if got, err := readXML(text); !errors.Is(err, endpoint.ErrNotXML) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := readXML(strings.Repeat("<E>", endpoint.MaxDepth+1)); !errors.Is(err, endpoint.ErrTooDeep) {
		t.Errorf("deep: %v", err)
	}
	if _, err := readXML("<E>" + strings.Repeat(" ", endpoint.MaxRecord) + "</E>"); !errors.Is(err, endpoint.ErrTooLong) {
		t.Errorf("long: %v", err)
	}
}

func FuzzEventXML(f *testing.F) {
	f.Add(`<Event xmlns='u'><System><Provider Name='P'/><EventID>4</EventID></System><EventData><Data Name='A'>&lt;<![CDATA[x]]></Data></EventData></Event>`)
	f.Fuzz(func(t *testing.T, text string) {
		told := 0
		_ = endpoint.EventXML(text, func(element, key, value string) {
			told += len(value)
		})
		if told > len(text) {
			t.Errorf("%d bytes told of %d", told, len(text))
		}
	})
}
