package metrics

import (
	"encoding/json"
	"math"
)

// number is a float64 that JSON may have no word for: null is then NaN.
type number float64

// MarshalJSON writes what is not finite as null.
func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// plain is a Report without its methods.
type plain Report

// reportDocument is a Report as JSON has it. The outer fields win over the
// embedded ones of the same name, and come before the others.
type reportDocument struct {
	Samples          int    `json:"samples"`
	Loss             number `json:"loss"`
	Accuracy         number `json:"accuracy"`
	BalancedAccuracy number `json:"balanced_accuracy"`
	Kappa            number `json:"kappa"`
	MCC              number `json:"mcc"`
	ROCAUC           number `json:"roc_auc"`
	AveragePrecision number `json:"average_precision"`
	Brier            number `json:"brier"`
	ECE              number `json:"ece"`
	plain
}

// MarshalJSON writes a figure that is not finite as null.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportDocument{
		Samples: r.Samples, Loss: number(r.Loss), Accuracy: number(r.Accuracy), BalancedAccuracy: number(r.BalancedAccuracy),
		Kappa: number(r.Kappa), MCC: number(r.MCC), ROCAUC: number(r.ROCAUC), AveragePrecision: number(r.AveragePrecision),
		Brier: number(r.Brier), ECE: number(r.ECE), plain: plain(r),
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A figure that a report lacks,
// for it is an older one, is NaN.
func (r *Report) UnmarshalJSON(data []byte) error {
	none := number(math.NaN())
	d := reportDocument{Loss: none, Kappa: none, MCC: none, ROCAUC: none, AveragePrecision: none, Brier: none, ECE: none}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*r = Report(d.plain)
	r.Samples, r.Loss, r.Accuracy, r.BalancedAccuracy = d.Samples, float64(d.Loss), float64(d.Accuracy), float64(d.BalancedAccuracy)
	r.Kappa, r.MCC, r.ROCAUC, r.AveragePrecision = float64(d.Kappa), float64(d.MCC), float64(d.ROCAUC), float64(d.AveragePrecision)
	r.Brier, r.ECE = float64(d.Brier), float64(d.ECE)
	return nil
}

type classDocument struct {
	Name    string `json:"name"`
	Support int    `json:"support"`
	Scores
	ROCAUC           number `json:"roc_auc"`
	AveragePrecision number `json:"average_precision"`
}

// MarshalJSON writes a figure that is not finite as null.
func (c Class) MarshalJSON() ([]byte, error) {
	return json.Marshal(classDocument{c.Name, c.Support, c.Scores, number(c.ROCAUC), number(c.AveragePrecision)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Class) UnmarshalJSON(data []byte) error {
	none := number(math.NaN())
	d := classDocument{ROCAUC: none, AveragePrecision: none}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*c = Class{d.Name, d.Support, d.Scores, float64(d.ROCAUC), float64(d.AveragePrecision)}
	return nil
}

type differenceDocument struct {
	Name       string `json:"name"`
	A          number `json:"a"`
	B          number `json:"b"`
	Difference number `json:"difference"`
	Lower      number `json:"lower"`
	Upper      number `json:"upper"`
}

// MarshalJSON writes what is not finite as null.
func (d Difference) MarshalJSON() ([]byte, error) {
	return json.Marshal(differenceDocument{d.Name, number(d.A), number(d.B), number(d.Difference), number(d.Lower), number(d.Upper)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Difference) UnmarshalJSON(data []byte) error {
	var r differenceDocument
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	*d = Difference{r.Name, float64(r.A), float64(r.B), float64(r.Difference), float64(r.Lower), float64(r.Upper)}
	return nil
}
